//! `SubjectPublicKeyInfo` in PEM, for the three kinds of keys.
//!
//! In DER, all that stands before the point is constant for each kind, so a prefix is the whole grammar.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, KeyKind};

/// Writes a point as PEM text with its final newline.
pub(super) fn encode(kind: KeyKind, point: &[u8]) -> String {
    let base64 = STANDARD.encode([prefix(kind), point].concat());
    let mut text = format!("{BEGIN}\n");
    // Base64 is ASCII, so no cut falls into a character.
    for line in base64.as_bytes().chunks(LINE) {
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    text + END + "\n"
}

/// Finds the only block in a text and returns the kind and the bytes of its point.
pub(super) fn decode(text: &str) -> Result<(KeyKind, Vec<u8>), KeyError> {
    let mut parts = text.splitn(3, BEGIN);
    let (Some(_before), Some(rest), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Pem);
    };
    let (block, _after) = rest.split_once(END).ok_or(KeyError::Pem)?;
    if block.len() > BLOCK_MAX {
        return Err(KeyError::Pem);
    }
    let base64: String = block.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| KeyError::Pem)?;
    for kind in KeyKind::ALL {
        if let Some(point) = der.strip_prefix(prefix(kind)) {
            return Ok((kind, point.to_vec()));
        }
    }
    Err(KeyError::UnknownKind)
}

/// The DER in front of the point: a sequence of the algorithm's identifier and a bit string of known length.
fn prefix(kind: KeyKind) -> &'static [u8] {
    match kind {
        KeyKind::Ed25519 => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        KeyKind::P256 => {
            b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
        }
        KeyKind::P384 => {
            b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
        }
    }
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Base64 digits on a line.
const LINE: usize = 64;
/// No block of ours is longer; the longest has 162 digits.
const BLOCK_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{PublicKey, SigningKey};

    #[test]
    fn only_one_whole_block_counts() {
        let pem = SigningKey::from_secret(KeyKind::P384, &[9; 48]).unwrap().public().to_pem();
        assert!(PublicKey::from_pem(&format!("Algorithm: EC\n\n{pem}")).is_ok());
        assert_eq!(PublicKey::from_pem(&pem.repeat(2)).unwrap_err(), KeyError::Pem);
        assert_eq!(PublicKey::from_pem("").unwrap_err(), KeyError::Pem);
        assert_eq!(PublicKey::from_pem(&pem.replace("END", "FIN")).unwrap_err(), KeyError::Pem);
        let long = pem.replacen('\n', &format!("\n{}", "A".repeat(BLOCK_MAX)), 1);
        assert_eq!(PublicKey::from_pem(&long).unwrap_err(), KeyError::Pem);
        let rsa = format!("{BEGIN}\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJB\n{END}\n");
        assert_eq!(PublicKey::from_pem(&rsa).unwrap_err(), KeyError::UnknownKind);
    }
}
