//! One file that carries models over an air gap.
//!
//! A package is an uncompressed `ustar` archive, whose first member lists all others with lengths and digests. The
//! reader is driven by that list: it takes the files that the list names, once each, in their order, with their lengths
//! and digests, and nothing else. See `docs/formats/package.md`.

mod export;
mod import;
mod list;
mod receipt;
mod source;
mod ustar;
mod volumes;

use std::error::Error;
use std::{fmt, io};

pub use export::Export;
pub use import::{Import, ImportOptions, Imported, Outcome};
pub use list::{Member, MemberKind, PackageList};
pub use receipt::Receipt;
pub use source::PackageSource;
pub use volumes::{VolumeWriter, Volumes};

use crate::manifest::BadDocument;
use crate::store::StoreError;

/// A failed export or import.
#[derive(Debug)]
pub enum PackageError {
    /// The package is not one.
    Bad {
        /// What is wrong with it.
        what: String,
    },
    /// The package cannot be read or written.
    Io {
        /// What was attempted.
        attempt: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A volume is missing.
    NoVolume {
        /// Its path.
        path: std::path::PathBuf,
    },
    /// A request that makes no sense for this package.
    Usage(String),
    /// The store failed.
    Store(StoreError),
}

impl PackageError {
    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::Bad { what: what.into() }
    }

    pub(super) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source }
    }

    /// The reason code, which is part of the command line's contract.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bad { .. } => "bad-package",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "disk-full",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "no-such-file",
            Self::Io { .. } => "io",
            Self::NoVolume { .. } => "no-such-file",
            Self::Usage(_) => "bad-name",
            Self::Store(error) => error.code(),
        }
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad { what } => write!(f, "the package is invalid: {what}"),
            Self::Io { attempt, .. } => write!(f, "{attempt} failed"),
            Self::NoVolume { path } => write!(f, "the volume {} is missing", path.display()),
            Self::Usage(what) => f.write_str(what),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for PackageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for PackageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BadDocument> for PackageError {
    fn from(error: BadDocument) -> Self {
        Self::bad(error.to_string())
    }
}
