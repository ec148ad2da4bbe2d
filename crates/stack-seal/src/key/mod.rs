//! Keys that sign and keys that check.
//!
//! A public key has exactly one spelling, `ed25519:<hex>`, `p256:<hex>` or `p384:<hex>`, and that spelling is the only
//! name it ever has: there are no short ids that an attacker could match. Ed25519 is what we sign with; the two ECDSA
//! curves are there because other tools sign models with them.

mod pem;
mod public;
mod secret;

use std::error::Error;
use std::fmt;

pub use public::PublicKey;
pub use secret::SigningKey;

/// A signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Ed25519, checked strictly.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, signatures in DER.
    P256,
    /// ECDSA on P-384 with SHA-384, signatures in DER.
    P384,
}

impl KeyKind {
    /// All kinds, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::P256, Self::P384];

    /// The name in front of the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
            Self::P384 => "p384",
        }
    }

    /// Finds the kind that has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The length of a secret, which is what [`SigningKey::from_secret`] takes.
    pub fn secret_len(self) -> usize {
        match self {
            Self::Ed25519 | Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not the spelling of a key.
    Spelling,
    /// A scheme that is not one of [`KeyKind`].
    UnknownKind,
    /// Not a point of the curve, or not the one encoding of it.
    NotAPoint,
    /// A point of small order: signatures under it prove nothing.
    Weak,
    /// Not a secret of its curve.
    NotASecret,
    /// Not PEM with one public key.
    Pem,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spelling => "a public key is spelled ed25519:, p256: or p384:, and lower-case hex digits",
            Self::UnknownKind => "the key is neither Ed25519 nor P-256 nor P-384",
            Self::NotAPoint => "the bytes of the key are not a point of its curve in its one encoding",
            Self::Weak => "the key is weak: its point has a small order, so anyone can sign for it",
            Self::NotASecret => "the bytes are not a secret key of this kind",
            Self::Pem => "the text does not hold one `BEGIN PUBLIC KEY` block",
        })
    }
}

impl Error for KeyError {}

/// A signature that its key did not make over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature was not made by this key over these bytes")
    }
}

impl Error for BadSignature {}
