//! Keys that check.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use ed25519_dalek::Signature as EdSignature;
use p256::ecdsa::signature::Verifier;
use sha2::{Digest, Sha256};

use super::{BadSignature, KeyError, KeyKind, pem};
use crate::hex;

/// A whole public key. It is what a signer *is*.
///
/// Invariant: the point is on its curve, came in its one encoding, and does not have a small order.
#[derive(Clone)]
pub struct PublicKey {
    /// Boxed, because a decoded point takes more room than errors and lists of keys should.
    point: Box<Point>,
    bytes: Box<[u8]>,
}

#[derive(Clone)]
pub(super) enum Point {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// Takes a key from its bytes: 32 of Ed25519, or a compressed point of one of the other curves.
    ///
    /// # Errors
    ///
    /// Refuses what is no point, what is encoded in another way, and weak keys.
    pub fn from_bytes(kind: KeyKind, bytes: &[u8]) -> Result<Self, KeyError> {
        let point = match kind {
            KeyKind::Ed25519 => {
                let bytes = bytes.try_into().map_err(|_| KeyError::NotAPoint)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
                if key.is_weak() {
                    return Err(KeyError::Weak);
                }
                Point::Ed25519(key)
            }
            KeyKind::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes);
                Point::P256(key.map_err(|_| KeyError::NotAPoint)?)
            }
            KeyKind::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(bytes);
                Point::P384(key.map_err(|_| KeyError::NotAPoint)?)
            }
        };
        let key = Self::from_point(point);
        // Ed25519 decoders take some points in two encodings, SEC 1 knows two more.
        if *key.bytes == *bytes { Ok(key) } else { Err(KeyError::NotAPoint) }
    }

    /// Takes a key from PEM text with a `SubjectPublicKeyInfo`; text around the block is skipped.
    ///
    /// # Errors
    ///
    /// Refuses other kinds of keys, more than one block, and all that [`PublicKey::from_bytes`] refuses.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (kind, point) = pem::decode(text)?;
        match kind {
            KeyKind::Ed25519 => Self::from_bytes(kind, &point),
            // A `SubjectPublicKeyInfo` holds whole points; our spelling has compressed ones.
            KeyKind::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&point)
                .map(|key| Self::from_point(Point::P256(key)))
                .map_err(|_| KeyError::NotAPoint),
            KeyKind::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(&point)
                .map(|key| Self::from_point(Point::P384(key)))
                .map_err(|_| KeyError::NotAPoint),
        }
    }

    pub(super) fn from_point(point: Point) -> Self {
        let bytes = match &point {
            Point::Ed25519(key) => Box::from(key.to_edwards().compress().as_bytes().as_slice()),
            Point::P256(key) => Box::from(key.to_sec1_point(true).as_bytes()),
            Point::P384(key) => Box::from(key.to_sec1_point(true).as_bytes()),
        };
        Self { point: Box::new(point), bytes }
    }

    /// The scheme of the key.
    pub fn kind(&self) -> KeyKind {
        match *self.point {
            Point::Ed25519(_) => KeyKind::Ed25519,
            Point::P256(_) => KeyKind::P256,
            Point::P384(_) => KeyKind::P384,
        }
    }

    /// The bytes of the key, as [`PublicKey::from_bytes`] takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key as PEM text, the final newline included.
    pub fn to_pem(&self) -> String {
        match &*self.point {
            Point::Ed25519(_) => pem::encode(KeyKind::Ed25519, &self.bytes),
            Point::P256(key) => pem::encode(KeyKind::P256, key.to_sec1_point(false).as_bytes()),
            Point::P384(key) => pem::encode(KeyKind::P384, key.to_sec1_point(false).as_bytes()),
        }
    }

    /// What a bundle says to help find this key: the SHA-256 of [`PublicKey::to_pem`] in hex. It selects, it never
    /// proves.
    pub fn hint(&self) -> String {
        hex::encode(&Sha256::digest(self.to_pem()))
    }

    /// Checks a signature over a message.
    ///
    /// Ed25519 is checked strictly: one encoding of each point and scalar, no points of small order, no cofactor.
    ///
    /// # Errors
    ///
    /// When the signature is not one of this key over this message, in the one encoding that the scheme has.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verified = match &*self.point {
            Point::Ed25519(key) => EdSignature::from_slice(signature)
                .and_then(|signature| key.verify_strict(message, &signature))
                .is_ok(),
            Point::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .and_then(|signature| key.verify(message, &signature))
                .is_ok(),
            Point::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .and_then(|signature| key.verify(message, &signature))
                .is_ok(),
        };
        if verified { Ok(()) } else { Err(BadSignature) }
    }
}

/// The one spelling: kind, colon, lower-case hex.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), hex::encode(&self.bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (kind, digits) = text.split_once(':').ok_or(KeyError::Spelling)?;
        let kind = KeyKind::from_name(kind).ok_or(KeyError::UnknownKind)?;
        let bytes = match kind {
            KeyKind::Ed25519 => hex::decode::<32>(digits).map(Vec::from),
            KeyKind::P256 => hex::decode::<33>(digits).map(Vec::from),
            KeyKind::P384 => hex::decode::<49>(digits).map(Vec::from),
        };
        Self::from_bytes(kind, &bytes.ok_or(KeyError::Spelling)?)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.kind(), &self.bytes).cmp(&(other.kind(), &other.bytes))
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind(), &self.bytes).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn a_key_is_its_spelling() {
        for kind in KeyKind::ALL {
            let key = SigningKey::from_secret(kind, &vec![7; kind.secret_len()]).unwrap().public();
            let text = key.to_string();
            assert!(text.starts_with(kind.name()), "{text}");
            assert_eq!(text.parse(), Ok(key.clone()));
            assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
            for wrong in [text.to_uppercase(), format!("{text}0"), format!("{text}00"), text.replace(':', "")]
            {
                assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn weak_and_doubly_encoded_keys_are_refused() {
        // The neutral element, a point of order 8, and the neutral element with its y above the prime.
        let of_order_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
        let above = format!("ee{}7f", "ff".repeat(30));
        for bytes in [&format!("01{}", "00".repeat(31)), of_order_8, &above] {
            let error = format!("ed25519:{bytes}").parse::<PublicKey>().unwrap_err();
            assert_eq!(error, KeyError::Weak, "{bytes}");
        }
        let whole = {
            let key = SigningKey::from_secret(KeyKind::P256, &[1; 32]).unwrap().public();
            let Point::P256(point) = *key.point else { unreachable!("the key is of P-256") };
            point.to_sec1_point(false).as_bytes().to_vec()
        };
        assert_eq!(PublicKey::from_bytes(KeyKind::P256, &whole), Err(KeyError::NotAPoint));
    }

    #[test]
    fn the_hint_is_that_of_other_tools() {
        // RFC 8410, section 10.1.
        let pem = "-----BEGIN PUBLIC KEY-----\n\
                   MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                   -----END PUBLIC KEY-----\n";
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(
            key.to_string(),
            "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
        );
        assert_eq!(key.to_pem(), pem);
        assert_eq!(key.hint(), hex::encode(&Sha256::digest(pem)));
    }
}
