//! Why there is no target, or not all of it.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use crate::sealed::SealedError;

/// Why there is no target, or not all of it.
#[derive(Debug)]
pub enum TargetError {
    /// Nothing lies at the path.
    Missing(PathBuf),
    /// What lies at the path is neither a file nor a folder.
    Special(PathBuf),
    /// A file or folder cannot be looked at.
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read to hash it.
    Hash {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folders are nested too deeply.
    TooDeep(PathBuf),
    /// A folder has a file whose name is not UTF-8.
    NotUtf8(PathBuf),
    /// A folder has a link or a device in it.
    Link {
        /// The folder.
        folder: PathBuf,
        /// What is called so in it.
        name: String,
    },
    /// A folder has too many files.
    TooManyFiles(PathBuf),
}

/// Why a sealed file of a target cannot be read.
#[derive(Debug)]
pub enum UnlockError {
    /// The target's files cannot be listed.
    Target(TargetError),
    /// The file does not open.
    Sealed(SealedError),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{} does not exist", path.display()),
            Self::Special(path) => write!(f, "{} is neither a file nor a folder", path.display()),
            Self::Read { path, .. } | Self::Hash { path, .. } => {
                write!(f, "{} cannot be read", path.display())
            }
            Self::TooDeep(folder) => {
                write!(f, "{}: the folders are nested too deeply", folder.display())
            }
            Self::NotUtf8(folder) => write!(f, "{}: the name of a file is not UTF-8", folder.display()),
            Self::Link { folder, name } => {
                write!(f, "{}: {name} is a link or a device", folder.display())
            }
            Self::TooManyFiles(folder) => write!(f, "{}: it contains too many files", folder.display()),
        }
    }
}

impl Error for TargetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Hash { source, .. } => Some(source),
            Self::Missing(_)
            | Self::Special(_)
            | Self::TooDeep(_)
            | Self::NotUtf8(_)
            | Self::Link { .. }
            | Self::TooManyFiles(_) => None,
        }
    }
}

impl fmt::Display for UnlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Sealed(error) => error.fmt(f),
        }
    }
}

impl Error for UnlockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Their text is this error's text.
        match self {
            Self::Target(error) => error.source(),
            Self::Sealed(error) => error.source(),
        }
    }
}

impl From<TargetError> for UnlockError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl From<SealedError> for UnlockError {
    fn from(error: SealedError) -> Self {
        Self::Sealed(error)
    }
}
