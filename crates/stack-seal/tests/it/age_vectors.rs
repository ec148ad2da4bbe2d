//! The age vectors of CCTV: what must open, what must not, and how much may come out.

use std::collections::BTreeMap;
use std::fs;

use sha2::Sha256;
use stack_seal::age::{self, Identity, OpenError, Passphrase, PayloadError, armor};
use stack_seal::digest::Sha256Hasher;
use zeroize::Zeroizing;

/// One vector: its text header, and the age file behind it.
struct Vector {
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let fields: Vec<(String, String)> = str::from_utf8(&bytes[..end])
            .unwrap()
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut vector = Self { fields, file: bytes[end + 2..].to_vec() };
        if vector.field("compressed") == Some("zlib") {
            vector.file = miniz_oxide::inflate::decompress_to_vec_zlib(&vector.file).unwrap();
        }
        vector
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn needs_ml_kem(&self) -> bool {
        self.fields.iter().any(|(name, value)| name == "identity" && value.starts_with("AGE-SECRET-KEY-PQ-"))
    }

    fn identities(&self) -> Vec<Identity> {
        let key = self.field("identity").map(|text| Identity::X25519(text.parse().unwrap()));
        let passphrase = self.field("passphrase").map(|text| Zeroizing::new(text.to_owned()));
        let passphrase = passphrase.map(|text| Identity::Passphrase(Passphrase::new(text)));
        key.into_iter().chain(passphrase).collect()
    }

    /// Opens the file in memory and names the outcome in CCTV's words.
    fn outcome(&self) -> &'static str {
        let decoded;
        let sealed = if self.field("armored") == Some("yes") {
            let Ok(bytes) = armor::decode(&self.file) else { return "armor failure" };
            decoded = bytes;
            &decoded
        } else {
            &self.file
        };
        match age::open_bytes(sealed, &self.identities()) {
            Ok(plain) => {
                assert_eq!(self.field("payload"), Some(sha256(&plain).as_str()));
                "success"
            }
            Err(OpenError::Header(_)) => "header failure",
            Err(OpenError::NoIdentity | OpenError::WrongPassphrase) => "no match",
            Err(OpenError::HeaderMac) => "HMAC failure",
            Err(OpenError::Payload(_)) => "payload failure",
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn vectors() -> Option<Vec<(String, Vector)>> {
    let folder = stack_testkit::reference_data("vectors")?.join("cctv-age");
    let mut vectors: Vec<(String, Vector)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), Vector::parse(&fs::read(entry.path()).unwrap()))
        })
        .collect();
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(vectors.len(), 143);
    Some(vectors)
}

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish().hex()
}

#[test]
fn every_file_ends_as_its_vector_says() {
    let Some(vectors) = vectors() else { return };
    let mut counts = BTreeMap::new();
    for (name, vector) in vectors.iter().filter(|(_, vector)| !vector.needs_ml_kem()) {
        let expected = vector.field("expect").unwrap();
        assert_eq!(vector.outcome(), expected, "{name}");
        *counts.entry(expected).or_insert(0) += 1;
    }
    let expected = [
        ("HMAC failure", 1),
        ("armor failure", 22),
        ("header failure", 53),
        ("no match", 8),
        ("payload failure", 19),
        ("success", 21),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
}

/// Where a payload fails, what comes out of a file is a prefix of what the vector allows.
#[test]
fn nothing_comes_out_behind_the_first_wrong_chunk() {
    let Some(vectors) = vectors() else { return };
    let mut tried = 0;
    for (name, vector) in &vectors {
        let failing = vector.field("expect") == Some("payload failure") && vector.field("armored").is_none();
        if vector.needs_ml_kem() || !failing {
            continue;
        }
        let allowed = in_order(&vector.file, &key_bytes(vector));
        assert_eq!(vector.field("payload"), Some(sha256(&allowed).as_str()), "{name}: the oracle");
        tried += 1;
        let file = crate::files::holding(&vector.file);
        let target = tempfile::tempfile().unwrap();
        let opened = age::UnlockedFile::open(file, &vector.identities());
        let Err(error) = opened.and_then(|file| file.decrypt_to(target.try_clone().unwrap(), 1, &|_| Ok(())))
        else {
            panic!("{name} opens");
        };
        assert!(matches!(error, OpenError::Payload(_)), "{name}: {error}");
        let released = crate::files::content(&target);
        assert!(allowed.starts_with(&released), "{name}");
        if let OpenError::Payload(PayloadError::Chunk { bytes, .. }) = error {
            assert!(bytes.end <= vector.file.len() as u64, "{name}: the message names bytes of the file");
        }
    }
    assert_eq!(tried, 18);
}

fn key_bytes(vector: &Vector) -> Vec<u8> {
    crate::vectors::hex(vector.field("file key").unwrap())
}

/// Opens chunks one after the other with nothing but the crates, and stops at the first that is wrong: an oracle that
/// knows neither spans nor lengths.
fn in_order(file: &[u8], file_key: &[u8]) -> Vec<u8> {
    use chacha20poly1305::aead::{AeadInOut, KeyInit};
    use chacha20poly1305::{ChaCha20Poly1305, Nonce};

    let mac_line = file.windows(5).position(|window| window == b"\n--- ").unwrap() + 1;
    let payload = &file[mac_line + file[mac_line..].iter().position(|&byte| byte == b'\n').unwrap() + 1..];
    let (salt, mut rest) = payload.split_at(16);
    let mut key = [0; 32];
    hkdf::Hkdf::<Sha256>::new(Some(salt), file_key).expand(b"payload", &mut key).unwrap();
    let cipher = ChaCha20Poly1305::new(&key.into());
    let mut plain = Vec::new();
    for index in 0u64.. {
        let (chunk, later) = rest.split_at(rest.len().min(65_552));
        let Some((body, tag)) = chunk.split_last_chunk::<16>() else { break };
        if body.is_empty() && index > 0 {
            break;
        }
        let mut nonce = Nonce::default();
        nonce[3..11].copy_from_slice(&index.to_be_bytes());
        let opened = [false, true].into_iter().find_map(|last| {
            nonce[11] = last.into();
            let mut body = body.to_vec();
            let opened = cipher.decrypt_inout_detached(&nonce, b"", body.as_mut_slice().into(), tag.into());
            opened.ok().map(|()| (body, last))
        });
        // A chunk that is marked as the last one and is not, or the other way round, is wrong itself unless its
        // successor is what breaks the rule.
        let Some((body, last)) = opened else { break };
        if !last && body.len() < 65_536 {
            break;
        }
        plain.extend(body);
        if last {
            break;
        }
        rest = later;
    }
    plain
}
