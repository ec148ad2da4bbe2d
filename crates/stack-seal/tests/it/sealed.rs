//! Sealed files: what returns, and every way in which they can be wrong.

use std::fs::File;

use stack_seal::age::{
    self, Header, Identity, OpenError, Passphrase, PayloadError, Recipients, Sealing, UnlockedFile,
    X25519Identity,
};
use stack_seal::digest::{Root, SPAN};
use stack_seal::verified::{Breach, Expected, Pass};
use zeroize::Zeroizing;

use crate::files::{content, holding, noise, random};

/// A name, and what happens to the chunks of one file when another one is at hand.
type Change = (&'static str, fn(&mut Vec<Vec<u8>>, Vec<Vec<u8>>));

const CHUNK: usize = 64 * 1024;
const SEALED_CHUNK: usize = CHUNK + 16;

fn identity(seed: u64) -> X25519Identity {
    X25519Identity::generate(&mut random(seed))
}

fn alice() -> [Identity; 1] {
    [Identity::X25519(identity(1))]
}

fn for_alice() -> Recipients {
    Recipients::keys([identity(1).recipient()]).unwrap()
}

/// Seals for Alice, with randomness of its own for each seed.
fn sealed(plain: &[u8], seed: u64) -> Vec<u8> {
    age::seal_bytes(plain, &for_alice(), &mut random(seed))
}

/// Decrypts as a command would: whole, on two threads, into a file.
fn decrypt(sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let target = tempfile::tempfile().unwrap();
    let unlocked = UnlockedFile::open(holding(sealed), &alice())?;
    unlocked.decrypt_to(target.try_clone().unwrap(), 2, &|_| Ok(()))?;
    Ok(content(&target))
}

fn header_len(sealed: &[u8]) -> usize {
    Header::parse(sealed).unwrap().1
}

#[test]
fn files_and_memory_have_one_codec() {
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, SPAN - 1, SPAN, SPAN + 1, 5 * SPAN + CHUNK + 7] {
        let plain = noise(len);
        let target = tempfile::tempfile().unwrap();
        let sealing = Sealing::new(&for_alice(), &mut random(9));
        let hashed =
            sealing.write_file(&holding(&plain), target.try_clone().unwrap(), 3, &|_| Ok(())).unwrap();
        assert_eq!((hashed.root, hashed.length), (Root::of(&plain), len as u64));
        let bytes = content(&target);
        assert!(bytes == sealed(&plain, 9), "{len} bytes: the same randomness gives the same file");
        assert!(decrypt(&bytes).unwrap() == plain, "{len} bytes");
    }
}

#[test]
fn header_and_payload_may_lie_apart() {
    let plain = noise(SPAN + 5);
    let sealing = Sealing::new(&for_alice(), &mut random(9));
    let header = sealing.header().to_bytes();
    let payload = tempfile::tempfile().unwrap();
    sealing.write_payload(&holding(&plain), payload.try_clone().unwrap(), 2, &|_| Ok(())).unwrap();
    assert!([header.clone(), content(&payload)].concat() == sealed(&plain, 9));
    let (header, _) = Header::parse(&header).unwrap();
    let unlocked = UnlockedFile::open_payload(&header, payload, &alice()).unwrap();
    let pinned = Expected::pinned(Root::of(&plain), plain.len() as u64);
    Pass::open_sealed(unlocked, pinned, None).unwrap().finish((), 2).unwrap();
}

#[test]
fn two_files_of_one_content_have_nothing_in_common() {
    let plain = vec![0; 1000];
    let (first, second) = (sealed(&plain, 5), sealed(&plain, 6));
    let start = header_len(&first);
    assert!(first[start..].windows(16).all(|window| !second.windows(16).any(|other| other == window)));
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let plain = noise(2 * SPAN + 100);
    let good = sealed(&plain, 5);
    let header = header_len(&good);
    let text = String::from_utf8(good[..header].to_vec()).unwrap();
    let mac = text.find("---").unwrap();
    let chunk = |index: usize| header + 16 + index * SEALED_CHUNK;
    let last = good.len() - 1;
    for (what, at) in [
        ("version", 3),
        ("version line's end", text.find('\n').unwrap()),
        ("arrow", text.find("->").unwrap()),
        ("kind", text.find("X25519").unwrap()),
        ("share", text.find("X25519").unwrap() + 10),
        ("wrapped key", mac - 10),
        ("dashes", mac),
        ("MAC", mac + 10),
        ("header's last byte", header - 1),
        ("nonce", header),
        ("nonce's last byte", header + 15),
        ("first chunk", chunk(0)),
        ("first tag", chunk(1) - 1),
        ("second chunk", chunk(1)),
        ("chunk in the next span", chunk(4) + 77),
        ("its tag", chunk(5) - 16),
        ("last chunk", chunk(8)),
        ("last tag", last),
    ] {
        for bit in [0, 5, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let error = decrypt(&bad).expect_err(what);
            let in_payload = matches!(error, OpenError::Payload(PayloadError::Chunk { .. }));
            assert_eq!(in_payload, at >= header, "{what}, bit {bit}: {error}");
            if let OpenError::Payload(PayloadError::Chunk { bytes, .. }) = &error
                && at >= header + 16
            {
                assert!(bytes.contains(&(at as u64)), "{what}: {error} names the chunk");
            }
        }
    }
}

#[test]
fn no_bit_of_a_small_file_may_change() {
    let good = sealed(b"a small file", 5);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(age::open_bytes(&bad, &alice()).is_err(), "bit {bit}");
    }
    for cut in 0..good.len() {
        assert!(age::open_bytes(&good[..cut], &alice()).is_err(), "cut at {cut}");
    }
}

#[test]
fn truncation_fails_before_anything_comes_out() {
    let plain = noise(2 * SPAN);
    let good = sealed(&plain, 5);
    let start = header_len(&good) + 16;
    let mut cuts = vec![0, 1, start - 17, start - 16, start - 1, start, good.len() - 1];
    for index in 1..8 {
        let end = start + index * SEALED_CHUNK;
        cuts.extend([end - 1, end, end + 1, end + 16, end + 17]);
    }
    for cut in cuts {
        let file = holding(&good[..cut]);
        assert!(UnlockedFile::open(file, &alice()).is_err(), "cut at {cut} of {}", good.len());
    }
    for more in [1, 16, 17, SEALED_CHUNK] {
        let longer = [good.as_slice(), &vec![0; more]].concat();
        assert!(UnlockedFile::open(holding(&longer), &alice()).is_err(), "{more} bytes more");
    }
}

#[test]
fn chunks_stay_in_their_place() {
    let plain = noise(6 * CHUNK + 9);
    let good = sealed(&plain, 5);
    let other = sealed(&plain, 6);
    let start = header_len(&good) + 16;
    let chunks = |file: &[u8]| -> Vec<Vec<u8>> {
        file[header_len(file) + 16..].chunks(SEALED_CHUNK).map(<[u8]>::to_vec).collect()
    };
    let changes: [Change; 6] = [
        ("swapped", |chunks, _| chunks.swap(1, 2)),
        ("swapped across spans", |chunks, _| chunks.swap(0, 4)),
        ("duplicated", |chunks, _| chunks.insert(2, chunks[1].clone())),
        ("repeated in place", |chunks, _| chunks[2] = chunks[1].clone()),
        ("left out", |chunks, _| drop(chunks.remove(3))),
        ("taken from another file", |chunks, other| chunks[3] = other[3].clone()),
    ];
    for (what, change) in changes {
        let mut changed = chunks(&good);
        change(&mut changed, chunks(&other));
        let bad = [good[..start].to_vec(), changed.concat()].concat();
        assert!(matches!(decrypt(&bad), Err(OpenError::Payload(PayloadError::Chunk { .. }))), "{what}");
    }
}

#[test]
fn payloads_belong_to_their_header() {
    let (first, second) = (sealed(&noise(500), 5), sealed(&noise(500), 6));
    let mixed = [&first[..header_len(&first)], &second[header_len(&second)..]].concat();
    assert!(matches!(decrypt(&mixed), Err(OpenError::Payload(PayloadError::Chunk { index: 0, .. }))));
}

#[test]
fn others_stay_out_and_are_told_why() {
    let good = sealed(b"plain", 5);
    let passphrase = || Passphrase::new(Zeroizing::new("x".to_owned()));
    for identities in [vec![], vec![Identity::X25519(identity(2))], vec![Identity::Passphrase(passphrase())]]
    {
        let error = age::open_bytes(&good, &identities).unwrap_err();
        assert!(matches!(error, OpenError::NoIdentity), "{error}");
    }
    let header = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 8\n\
                  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
    let error = age::open_bytes(header.as_bytes(), &[Identity::Passphrase(passphrase())]).unwrap_err();
    assert!(matches!(error, OpenError::WrongPassphrase), "{error}");
}

#[test]
fn a_new_header_lets_others_in_and_leaves_the_payload() {
    let plain = noise(SPAN);
    let good = sealed(&plain, 5);
    let (old, len) = Header::parse(&good).unwrap();
    let bob = Recipients::keys([identity(2).recipient()]).unwrap();
    let new = age::rekey(&old, &alice(), &bob, &mut random(7)).unwrap();
    let rekeyed = [&new.to_bytes(), &good[len..]].concat();
    assert_eq!(*age::open_bytes(&rekeyed, &[Identity::X25519(identity(2))]).unwrap(), plain);
    assert!(matches!(age::open_bytes(&rekeyed, &alice()), Err(OpenError::NoIdentity)));
    let stranger = age::rekey(&old, &[Identity::X25519(identity(3))], &bob, &mut random(8));
    assert!(matches!(stranger, Err(OpenError::NoIdentity)));
}

#[test]
fn who_is_added_opens_the_same_payload_and_nobody_is_lost() {
    let plain = noise(1000);
    let good = sealed(&plain, 5);
    let (old, len) = Header::read(&holding(&good)).unwrap();
    let new = age::add_recipients(&old, &alice(), &[identity(2).recipient()], &mut random(7)).unwrap();
    let more = [&new.to_bytes(), &good[len as usize..]].concat();
    for seed in [1, 2] {
        assert_eq!(*age::open_bytes(&more, &[Identity::X25519(identity(seed))]).unwrap(), plain);
    }
    let by_a_stranger = age::add_recipients(&old, &[Identity::X25519(identity(3))], &[], &mut random(8));
    assert!(matches!(by_a_stranger, Err(OpenError::NoIdentity)));
}

#[test]
fn what_is_sealed_anew_has_another_key_and_the_same_content() {
    let plain = noise(2 * SPAN + 3);
    let bob = Recipients::keys([identity(2).recipient()]).unwrap();
    let target = tempfile::tempfile().unwrap();
    let sealing = Sealing::new(&bob, &mut random(9));
    let hashed =
        sealing.rewrite_file(&unlocked(&plain), target.try_clone().unwrap(), 2, &|_| Ok(())).unwrap();
    assert_eq!(hashed.root, Root::of(&plain));
    assert!(*age::open_bytes(&content(&target), &[Identity::X25519(identity(2))]).unwrap() == plain);
    let (old, _) = Header::parse(&sealed(&plain, 5)).unwrap();
    let swapped = [&old.to_bytes(), &content(&target)[header_len(&content(&target))..]].concat();
    assert!(age::open_bytes(&swapped, &alice()).is_err(), "the old key opens nothing of it");
}

#[test]
fn work_ends_when_nobody_wants_its_result() {
    let plain = noise(5 * SPAN);
    let stop = |_| Err(std::io::Error::from(std::io::ErrorKind::Interrupted));
    let target = || tempfile::tempfile().unwrap();
    let sealing = Sealing::new(&for_alice(), &mut random(9));
    let error = sealing.write_file(&holding(&plain), target(), 2, &stop).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
    assert!(unlocked(&plain).decrypt_to(target(), 2, &stop).is_err());
}

fn unlocked(plain: &[u8]) -> UnlockedFile {
    UnlockedFile::open(holding(&sealed(plain, 5)), &alice()).unwrap()
}

#[test]
fn a_pass_over_a_sealed_file_sees_the_plain_bytes() {
    let plain = noise(3 * SPAN + 12_345);
    let pinned = Expected::pinned(Root::of(&plain), plain.len() as u64);
    let pass = Pass::open_sealed(unlocked(&plain), pinned, None).unwrap();
    for (offset, len) in [(0, 100), (SPAN - 3, SPAN + 6), (2 * SPAN, SPAN), (plain.len() - 1, 1)] {
        let mut buffer = vec![0; len];
        pass.read_exact_at(&mut buffer, offset as u64).unwrap();
        assert!(buffer == plain[offset..offset + len], "{len} bytes at {offset}");
    }
    assert_eq!(pass.finish((), 2).unwrap().root(), Root::of(&plain));
}

/// Every recipient knows the file key, so tags say nothing about who wrote a payload.
#[test]
fn weights_that_a_recipient_forged_are_not_what_was_signed() {
    let plain = noise(SPAN + 1);
    let mut forged = plain.clone();
    forged[SPAN] ^= 1;
    let pinned = Expected::pinned(Root::of(&plain), plain.len() as u64);
    let pass = Pass::open_sealed(unlocked(&forged), pinned, None).unwrap();
    assert!(matches!(pass.finish((), 1), Err(Breach::Root { .. })));
    let unanchored = Pass::open_sealed(unlocked(&plain), Expected::first_seen(), None);
    assert!(matches!(unanchored, Err(Breach::Unanchored)));
}

#[test]
fn a_chunk_that_changes_under_a_pass_is_named() {
    let plain = noise(2 * SPAN);
    let mut bytes = sealed(&plain, 5);
    let at = header_len(&bytes) + 16 + 5 * SEALED_CHUNK + 100;
    bytes[at] ^= 1;
    let unlocked = UnlockedFile::open(holding(&bytes), &alice()).unwrap();
    let pinned = Expected::pinned(Root::of(&plain), plain.len() as u64);
    let breach = Pass::open_sealed(unlocked, pinned, None).unwrap().finish((), 2).unwrap_err();
    let Breach::Payload(PayloadError::Chunk { index: 5, bytes }) = breach else { panic!("{breach}") };
    assert!(bytes.contains(&(at as u64)));
}

#[test]
fn a_length_that_no_disk_has_takes_no_memory() {
    let file = holding(&sealed(b"", 5));
    // Where the file system knows no such lengths there is nothing to test.
    if file.set_len(1 << 43).is_ok() {
        assert!(matches!(UnlockedFile::open(file, &alice()), Err(OpenError::TooLong(_))));
    }
}

#[test]
fn what_is_no_age_file_is_told_so() {
    for (bytes, what) in [(&b"GGUF\x03\0\0\0"[..], "a model"), (b"", "nothing"), (&[0; 100], "zeros")] {
        let error = UnlockedFile::open(holding(bytes), &alice()).unwrap_err();
        assert!(matches!(error, OpenError::Header(_)), "{what}: {error}");
    }
    let folder = File::open(tempfile::tempdir().unwrap().path()).unwrap();
    assert!(matches!(UnlockedFile::open(folder, &alice()), Err(OpenError::Io(_))));
}
