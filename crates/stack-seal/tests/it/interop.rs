//! Files made by the reference implementation open here, and ours open there.

use std::io::{Read, Write};
use std::iter;

use age::secrecy::{ExposeSecret, SecretString};
use stack_seal::age::{self as ours, Identity, Passphrase, Recipients, armor};
use zeroize::Zeroizing;

use crate::files::{noise, random};

/// Lengths around the borders of chunks and spans.
const LENGTHS: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 262_144, 300_001];

fn theirs_encrypt(plain: &[u8], recipient: &dyn age::Recipient) -> Vec<u8> {
    let mut sealed = Vec::new();
    let encryptor = age::Encryptor::with_recipients(iter::once(recipient)).unwrap();
    let mut writer = encryptor.wrap_output(&mut sealed).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap();
    sealed
}

fn theirs_decrypt(sealed: &[u8], identity: &dyn age::Identity) -> Vec<u8> {
    let decryptor = age::Decryptor::new_buffered(sealed).unwrap();
    let mut plain = Vec::new();
    decryptor.decrypt(iter::once(identity)).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn their_files_open_here() {
    let key = age::x25519::Identity::generate();
    let identity = [Identity::X25519(key.to_string().expose_secret().parse().unwrap())];
    for len in LENGTHS {
        let plain = noise(len);
        let sealed = theirs_encrypt(&plain, &key.to_public());
        assert_eq!(*ours::open_bytes(&sealed, &identity).unwrap(), plain, "{len} bytes");
    }
}

#[test]
fn our_files_open_there() {
    let identity = ours::X25519Identity::generate(&mut random(1));
    let key: age::x25519::Identity = identity.to_text().parse().unwrap();
    let other = ours::X25519Identity::generate(&mut random(2)).recipient();
    let recipients = Recipients::keys([other, identity.recipient()]).unwrap();
    for len in LENGTHS {
        let plain = noise(len);
        let sealed = ours::seal_bytes(&plain, &recipients, &mut random(len as u64));
        assert_eq!(theirs_decrypt(&sealed, &key), plain, "{len} bytes");
    }
}

#[test]
fn passphrases_work_both_ways() {
    let text = "correct horse battery staple";
    let passphrase = || Passphrase::new(Zeroizing::new(text.to_owned()));
    let sealed = ours::seal_bytes(b"plain", &Recipients::Passphrase(passphrase()), &mut random(3));
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let identity = age::scrypt::Identity::new(SecretString::from(text.to_owned()));
    assert_eq!(theirs_decrypt(&sealed, &identity), b"plain");

    let mut recipient = age::scrypt::Recipient::new(SecretString::from(text.to_owned()));
    recipient.set_work_factor(10);
    let sealed = theirs_encrypt(b"plain", &recipient);
    assert_eq!(*ours::open_bytes(&sealed, &[Identity::Passphrase(passphrase())]).unwrap(), b"plain");
}

#[test]
fn armor_works_both_ways() {
    use age::armor::{ArmoredReader, ArmoredWriter, Format};

    for len in [1, 47, 48, 49, 1000] {
        let bytes = noise(len);
        let mut theirs = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
        theirs.write_all(&bytes).unwrap();
        let theirs = theirs.finish().unwrap();
        assert_eq!(armor::decode(&theirs).unwrap(), bytes, "{len} bytes");
        assert_eq!(armor::encode(&bytes).as_bytes(), theirs, "{len} bytes");
        let mut read = Vec::new();
        ArmoredReader::new(armor::encode(&bytes).as_bytes()).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
