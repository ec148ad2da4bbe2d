//! Keys for people and machines: X25519.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use super::file_key::{FileKey, derive};
use super::stanza::{self, Stanza};
use super::{HeaderError, Random, bech32};

/// A key that opens, written `AGE-SECRET-KEY-1…`. Its memory is wiped when it goes; it is never shown.
pub struct X25519Identity(StaticSecret);

impl X25519Identity {
    /// Makes a fresh one.
    pub fn generate(random: &mut Random<'_>) -> Self {
        Self(secret(random))
    }

    /// Returns the key that others seal for.
    pub fn recipient(&self) -> X25519Recipient {
        X25519Recipient(PublicKey::from(&self.0))
    }

    /// Writes the secret.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut lower = Zeroizing::new(bech32::encode(IDENTITY, self.0.as_bytes()));
        lower.make_ascii_uppercase();
        lower
    }

    /// Unwraps the file key, if this stanza is for this key.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let ([share], body) = stanza.parts()?;
        let share = PublicKey::from(stanza.bytes::<32>(share)?);
        let shared = self.0.diffie_hellman(&share);
        if !shared.was_contributory() {
            return Err(HeaderError::Stanza { kind: KIND.to_owned() });
        }
        let key = wrapping_key(shared.as_bytes(), &share, &PublicKey::from(&self.0));
        Ok(FileKey::unwrap(body, &key))
    }
}

impl FromStr for X25519Identity {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(KeyTextError::Identity);
        }
        let (prefix, bytes) = bech32::decode(text).ok_or(KeyTextError::Identity)?;
        let bytes = Zeroizing::new(bytes);
        if prefix != IDENTITY {
            return Err(KeyTextError::Identity);
        }
        let mut key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| KeyTextError::Identity)?;
        let identity = Self(StaticSecret::from(key));
        key.zeroize();
        Ok(identity)
    }
}

impl fmt::Debug for X25519Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X25519Identity({})", self.recipient())
    }
}

/// A key that is sealed for, written `age1…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct X25519Recipient(PublicKey);

impl X25519Recipient {
    /// Wraps a file key so that only the owner of the identity can unwrap it.
    pub(super) fn wrap(&self, file_key: &FileKey, random: &mut Random<'_>) -> Stanza {
        let ephemeral = secret(random);
        let share = PublicKey::from(&ephemeral);
        let shared = ephemeral.diffie_hellman(&self.0);
        let body = file_key.wrap(&wrapping_key(shared.as_bytes(), &share, &self.0));
        Stanza::new(&[KIND, &stanza::encode(share.as_bytes())], &body)
    }
}

impl FromStr for X25519Recipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(KeyTextError::Recipient);
        }
        let (prefix, bytes) = bech32::decode(text).ok_or(KeyTextError::Recipient)?;
        if prefix != RECIPIENT {
            return Err(KeyTextError::Recipient);
        }
        let key: [u8; 32] = bytes.try_into().map_err(|_| KeyTextError::Recipient)?;
        let key = PublicKey::from(key);
        // Every secret is a multiple of eight, and so every secret shows whether the point has a small order.
        if StaticSecret::from([1; 32]).diffie_hellman(&key).was_contributory() {
            Ok(Self(key))
        } else {
            Err(KeyTextError::Weak)
        }
    }
}

impl fmt::Display for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT, self.0.as_bytes()))
    }
}

fn secret(random: &mut Random<'_>) -> StaticSecret {
    let mut bytes = [0; 32];
    random(&mut bytes);
    let secret = StaticSecret::from(bytes);
    bytes.zeroize();
    secret
}

fn wrapping_key(shared: &[u8; 32], share: &PublicKey, recipient: &PublicKey) -> Zeroizing<[u8; 32]> {
    derive(&[*share.as_bytes(), *recipient.as_bytes()].concat(), shared, "age-encryption.org/v1/X25519")
}

/// Why a text is not a key of age's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTextError {
    /// It is not an identity.
    Identity,
    /// It is not a recipient.
    Recipient,
    /// It is a recipient of small order: what is sealed for it is sealed for everybody.
    Weak,
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "an identity has the form AGE-SECRET-KEY-1…, ending in a checksum",
            Self::Recipient => "a recipient has the form age1…, ending in a checksum",
            Self::Weak => "this recipient's key is weak: anyone could open the file",
        })
    }
}

impl Error for KeyTextError {}

/// The kind of these stanzas.
pub(super) const KIND: &str = "X25519";

const IDENTITY: &str = "age-secret-key-";
const RECIPIENT: &str = "age";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_spelling() {
        // From the CCTV vectors.
        let text = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
        let identity: X25519Identity = text.parse().unwrap();
        assert_eq!(*identity.to_text(), text);
        let recipient = identity.recipient().to_string();
        assert_eq!(recipient.parse::<X25519Recipient>().unwrap(), identity.recipient());
        assert!(!format!("{identity:?}").contains("SECRET"));
        for wrong in [text.to_lowercase(), recipient.clone(), text[..70].to_owned(), String::new()] {
            assert_eq!(wrong.parse::<X25519Identity>().unwrap_err(), KeyTextError::Identity, "{wrong}");
        }
        for wrong in [recipient.to_uppercase(), text.to_owned(), recipient[..60].to_owned()] {
            assert_eq!(wrong.parse::<X25519Recipient>(), Err(KeyTextError::Recipient), "{wrong}");
        }
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            let text = bech32::encode("age", &point);
            assert_eq!(text.parse::<X25519Recipient>(), Err(KeyTextError::Weak));
        }
    }
}
