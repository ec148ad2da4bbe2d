//! Digests: what a content is called, and how it is computed whole, in a stream, or span by span.
//!
//! BLAKE3 decides what may be loaded; SHA-256 stands beside it where the outside world asks for it. SHA-1 appears only
//! as git's name of a small file, a check of the transfer that no [`Digest`] can hold.

mod file;
mod hasher;
mod leaves;
mod tree;

use std::error::Error;
use std::fmt;
use std::str::FromStr;

pub use file::{HashedFile, hash_file, hash_file_twice};
pub use hasher::{Blake3Hasher, GitBlobHasher, Sha256Hasher};
pub use leaves::{LeafList, LeafListError};
pub use tree::{LENGTH_MAX, SPAN, SpanTree, TooLong};

use crate::hex;

/// A collision-resistant name for a content, written `sha256:<64 hex>` or `blake3:<64 hex>`.
///
/// ```
/// use stack_seal::digest::{Algorithm, Digest};
///
/// let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let digest: Digest = text.parse()?;
/// assert_eq!(digest.algorithm, Algorithm::Sha256);
/// assert_eq!(digest.to_string(), text);
/// # Ok::<(), stack_seal::digest::DigestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// The function that made it.
    pub algorithm: Algorithm,
    /// What the function returned.
    pub bytes: [u8; 32],
}

/// The functions that a [`Digest`] can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which registries, hubs and OMS speak.
    Sha256,
    /// BLAKE3, which the engine checks.
    Blake3,
}

impl Digest {
    /// Returns the 64 lower-case hex digits without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(&self.bytes)
    }
}

impl Algorithm {
    /// Returns the name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, digits) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "blake3" => Algorithm::Blake3,
            _ => return Err(DigestError::Algorithm),
        };
        let bytes = hex::decode(digits).ok_or(DigestError::Hex)?;
        Ok(Self { algorithm, bytes })
    }
}

/// The BLAKE3 digest of a whole content: what [`Digest`] becomes once it is known to be BLAKE3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub [u8; 32]);

impl Root {
    /// Hashes bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Compares digests of secrets, in a time that does not tell where they differ.
    pub fn is_same_secret(&self, other: &Self) -> bool {
        // The comparison of these is in constant time.
        blake3::Hash::from(self.0) == blake3::Hash::from(other.0)
    }
}

impl From<Root> for Digest {
    fn from(root: Root) -> Self {
        Self { algorithm: Algorithm::Blake3, bytes: root.0 }
    }
}

impl TryFrom<Digest> for Root {
    type Error = DigestError;

    fn try_from(digest: Digest) -> Result<Self, DigestError> {
        match digest.algorithm {
            Algorithm::Blake3 => Ok(Self(digest.bytes)),
            Algorithm::Sha256 => Err(DigestError::Algorithm),
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from(*self).fmt(f)
    }
}

/// Why a text or a digest is not the digest that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// There is no colon.
    Form,
    /// The algorithm is unknown, or not the one that is needed here.
    Algorithm,
    /// What follows the colon is not 64 lower-case hex digits.
    Hex,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a digest has the form ALGORITHM:HEX",
            Self::Algorithm => "unsupported digest algorithm",
            Self::Hex => "a digest has 64 lower-case hex digits",
        })
    }
}

impl Error for DigestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let hex = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        let digest: Digest = format!("blake3:{hex}").parse().unwrap();
        assert_eq!(Root::try_from(digest), Ok(Root::of(b"")));
        assert_eq!(digest.to_string(), format!("blake3:{hex}"));
        for (text, error) in [
            (hex.to_owned(), DigestError::Form),
            (format!("BLAKE3:{hex}"), DigestError::Algorithm),
            (format!("md5:{hex}"), DigestError::Algorithm),
            (format!("blake3:{}", hex.to_uppercase()), DigestError::Hex),
            (format!("blake3:{hex}0"), DigestError::Hex),
            (format!("blake3: {hex}"), DigestError::Hex),
            ("sha256:../../etc/passwd".to_owned(), DigestError::Hex),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sha256_never_passes_for_a_root() {
        let digest = Digest { algorithm: Algorithm::Sha256, bytes: Root::of(b"").0 };
        assert_eq!(Root::try_from(digest), Err(DigestError::Algorithm));
    }
}
