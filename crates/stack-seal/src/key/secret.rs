//! Keys that sign.

use std::fmt;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::public::Point;
use super::{KeyError, KeyKind, PublicKey};

/// A secret key. Its memory is wiped when it goes; it is never shown.
pub struct SigningKey(Scalar);

/// What the crates hold; each of them wipes itself.
enum Scalar {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
}

impl SigningKey {
    /// Makes a key of [`KeyKind::secret_len`] secret bytes, for example random ones.
    ///
    /// # Errors
    ///
    /// When there are more or fewer bytes, and, once in 2³² random tries for P-256 and never in practice for the other
    /// kinds, when they are not below the order of the curve.
    pub fn from_secret(kind: KeyKind, secret: &[u8]) -> Result<Self, KeyError> {
        let scalar = match kind {
            KeyKind::Ed25519 => {
                ed25519_dalek::SigningKey::try_from(secret).ok().map(Box::new).map(Scalar::Ed25519)
            }
            KeyKind::P256 => p256::ecdsa::SigningKey::from_slice(secret).ok().map(Box::new).map(Scalar::P256),
            KeyKind::P384 => p384::ecdsa::SigningKey::from_slice(secret).ok().map(Box::new).map(Scalar::P384),
        };
        // The curves' crates take shorter secrets too, which nobody has chosen well.
        scalar.filter(|_| secret.len() == kind.secret_len()).map(Self).ok_or(KeyError::NotASecret)
    }

    /// The bytes that [`SigningKey::from_secret`] takes.
    pub fn secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match &self.0 {
            Scalar::Ed25519(key) => key.as_bytes().to_vec(),
            Scalar::P256(key) => Zeroizing::new(key.to_bytes()).to_vec(),
            Scalar::P384(key) => Zeroizing::new(key.to_bytes()).to_vec(),
        })
    }

    /// The scheme of the key.
    pub fn kind(&self) -> KeyKind {
        match self.0 {
            Scalar::Ed25519(_) => KeyKind::Ed25519,
            Scalar::P256(_) => KeyKind::P256,
            Scalar::P384(_) => KeyKind::P384,
        }
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_point(match &self.0 {
            Scalar::Ed25519(key) => Point::Ed25519(key.verifying_key()),
            Scalar::P256(key) => Point::P256(*key.verifying_key()),
            Scalar::P384(key) => Point::P384(*key.verifying_key()),
        })
    }

    /// Signs a message. The same message always gets the same signature, so no randomness is needed.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Scalar::Ed25519(key) => key.sign(message).to_vec(),
            Scalar::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Scalar::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        }
    }
}

/// Shows whose key it is, not the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::BadSignature;

    #[test]
    fn signatures_hold_for_their_message_and_key_only() {
        for kind in KeyKind::ALL {
            let key = SigningKey::from_secret(kind, &vec![42; kind.secret_len()]).unwrap();
            let mut signature = key.sign(b"weights");
            assert_eq!(key.public().verify(b"weights", &signature), Ok(()));
            assert_eq!(key.public().verify(b"weighty", &signature), Err(BadSignature));
            let other = SigningKey::from_secret(kind, &vec![43; kind.secret_len()]).unwrap();
            assert_eq!(other.public().verify(b"weights", &signature), Err(BadSignature));
            let again = SigningKey::from_secret(kind, &key.secret()).unwrap();
            assert_eq!(again.sign(b"weights"), signature);
            for at in 0..signature.len() {
                signature[at] ^= 1;
                assert_eq!(
                    key.public().verify(b"weights", &signature),
                    Err(BadSignature),
                    "{kind}, byte {at}"
                );
                signature[at] ^= 1;
            }
            signature.push(0);
            assert_eq!(key.public().verify(b"weights", &signature), Err(BadSignature));
        }
    }

    #[test]
    fn a_secret_has_one_length_and_a_bound() {
        for kind in KeyKind::ALL {
            let len = kind.secret_len();
            for wrong in [0, len - 1, len + 1] {
                assert_eq!(SigningKey::from_secret(kind, &vec![1; wrong]).unwrap_err(), KeyError::NotASecret);
            }
        }
        for kind in [KeyKind::P256, KeyKind::P384] {
            for wrong in [0, 0xFF] {
                assert!(SigningKey::from_secret(kind, &vec![wrong; kind.secret_len()]).is_err());
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = SigningKey::from_secret(KeyKind::Ed25519, &[0xAB; 32]).unwrap();
        assert!(!format!("{key:?}").contains("abab"));
    }
}
