//! Why it is not known who is trusted.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use super::BadTrustFile;
use crate::home::HomeError;
use crate::policy::BadMarks;

/// Why it is not known who is trusted, or cannot be written down.
#[derive(Debug)]
pub enum TrustError {
    /// A file or folder cannot be read.
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `trust.toml` makes no sense.
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadTrustFile,
    },
    /// A change would make `trust.toml` senseless.
    BadChange(BadTrustFile),
    /// What was accepted before is not known any more.
    BadMarks {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadMarks,
    },
    /// What was revoked is not known any more.
    BadRevocation {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no home.
    Home(HomeError),
}

impl TrustError {
    /// Whether it says that nothing can be written there, by nobody or not by us.
    pub(super) fn is_read_only(&self) -> bool {
        let (Self::Write { source, .. } | Self::Home(HomeError::Make { source, .. })) = self else {
            return false;
        };
        matches!(source.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "{} cannot be read", path.display()),
            Self::Write { path, .. } => write!(f, "{} cannot be written", path.display()),
            Self::BadFile { path, .. } => write!(f, "{} is invalid", path.display()),
            Self::BadChange(_) => f.write_str("the change would make trust.toml invalid"),
            Self::BadMarks { path, .. } => write!(f, "{} is damaged", path.display()),
            Self::BadRevocation { path, .. } => write!(f, "the revocation {} is damaged", path.display()),
            Self::Home(error) => error.fmt(f),
        }
    }
}

impl Error for TrustError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::BadFile { source, .. } | Self::BadChange(source) => Some(source),
            Self::BadMarks { source, .. } => Some(source),
            Self::BadRevocation { source, .. } => Some(&**source),
            // Its text is this error's text.
            Self::Home(error) => error.source(),
        }
    }
}

impl From<HomeError> for TrustError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}
