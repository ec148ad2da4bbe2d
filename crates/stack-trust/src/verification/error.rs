//! In what files differ from what was signed.

use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::{fmt, io};

use stack_seal::digest::{Algorithm, Digest, Root};

use super::ExpectedRoot;
use crate::sealed::SealedError;
use crate::target::{TargetError, UnlockError};

/// In what files differ from what was signed, or why that cannot be told.
#[derive(Debug)]
pub enum VerificationError {
    /// The target's files cannot be listed or hashed.
    Target(TargetError),
    /// A sealed file does not open.
    Sealed(SealedError),
    /// A file cannot be looked at.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file was signed and is not there.
    Missing(String),
    /// A file is there and was not signed.
    NotSigned(String),
    /// A file is longer or shorter than it was.
    Length {
        /// The file.
        name: String,
        /// Its bytes.
        found: u64,
        /// The bytes that were signed.
        expected: u64,
    },
    /// A sealed file holds more or fewer bytes than were signed.
    OpenedLength {
        /// The file.
        name: String,
        /// The bytes that it holds.
        found: u64,
        /// The bytes that were signed.
        expected: u64,
    },
    /// A file has another root.
    Root {
        /// The file.
        name: String,
        /// The root that it has.
        found: Root,
        /// The first span that differs, and its bytes, where the values of the spans were signed.
        span: Option<(usize, Range<u64>)>,
    },
    /// A file has another SHA-256.
    Sha256(String),
    /// A file is sealed, and nobody signed its sealed form.
    SealedFormNotSigned(String),
    /// A target has no digest of this kind of its own.
    NoDigest {
        /// The target.
        name: String,
        /// The kind.
        algorithm: Algorithm,
    },
    /// A target has another digest than somebody gave.
    OtherDigest {
        /// The target.
        name: String,
        /// The digest that it has.
        found: Digest,
    },
    /// A blob of the store is not what it was.
    ModifiedBlob {
        /// The file in its model.
        path: String,
        /// The model.
        model: String,
    },
    /// A sealed file holds something else than somebody says.
    OtherContents {
        /// The file or model.
        what: String,
        /// The root of what it holds.
        found: Root,
        /// What it should hold.
        known: ExpectedRoot,
    },
}

impl fmt::Display for VerificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Sealed(error) => error.fmt(f),
            Self::Read { path, .. } => write!(f, "{} cannot be read", path.display()),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::NotSigned(name) => write!(f, "{name} is not covered by the signature"),
            Self::Length { name, found, expected } => {
                write!(f, "{name} has {found} bytes, but {expected} were signed")
            }
            Self::OpenedLength { name, found, expected } => {
                write!(f, "{name} contains {found} bytes, but {expected} were signed")
            }
            Self::Root { name, span: Some((span, bytes)), .. } => {
                let (start, end) = (bytes.start, bytes.end);
                write!(
                    f,
                    "{name} does not match the signed statement: span {span} (bytes {start}..{end}) differs"
                )
            }
            Self::Root { name, found, span: None } => {
                write!(f, "{name} does not match the signed statement: it has {found}")
            }
            Self::Sha256(name) => write!(f, "{name}: the SHA-256 digest differs from the signed one"),
            Self::SealedFormNotSigned(name) => {
                write!(f, "{name} is sealed, and the signature does not cover the sealed form")
            }
            Self::NoDigest { name, algorithm } => {
                write!(f, "{name} has no {} digest of its own", algorithm.name())
            }
            Self::OtherDigest { name, found } => write!(f, "{name} has the digest {found}"),
            Self::ModifiedBlob { path, model } => {
                write!(f, "{path} of {model} was modified after it was stored")
            }
            Self::OtherContents { what, found, known: ExpectedRoot { root, by } } => {
                write!(f, "the contents of {what} have the root {found}, but {by} says {root}")
            }
        }
    }
}

impl Error for VerificationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Their text is this error's text.
            Self::Target(error) => error.source(),
            Self::Sealed(error) => error.source(),
            Self::Read { source, .. } => Some(source),
            Self::Missing(_)
            | Self::NotSigned(_)
            | Self::Length { .. }
            | Self::OpenedLength { .. }
            | Self::Root { .. }
            | Self::Sha256(_)
            | Self::SealedFormNotSigned(_)
            | Self::NoDigest { .. }
            | Self::OtherDigest { .. }
            | Self::ModifiedBlob { .. }
            | Self::OtherContents { .. } => None,
        }
    }
}

impl From<TargetError> for VerificationError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl From<SealedError> for VerificationError {
    fn from(error: SealedError) -> Self {
        Self::Sealed(error)
    }
}

impl From<UnlockError> for VerificationError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Target(error) => Self::Target(error),
            UnlockError::Sealed(error) => Self::Sealed(error),
        }
    }
}
