//! Why a sealed file cannot be opened, written or believed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use stack_seal::age::OpenError;
use stack_seal::age::armor::ArmorError;
use stack_seal::digest::Root;

use crate::home::HomeError;
use crate::identity::IdentityError;
use crate::passphrase::PassphraseError;

/// Why a sealed file cannot be opened, written or believed.
#[derive(Debug)]
pub enum SealedError {
    /// A file cannot be read.
    Read {
        /// The file or model.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// An armored file is larger than is unpacked.
    ArmorTooLong(PathBuf),
    /// The armor of a file is damaged.
    Armor {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ArmorError,
    },
    /// It does not open, or only to a point.
    Open {
        /// The file or model.
        what: String,
        /// Why.
        source: OpenError,
    },
    /// None of several identities opens it.
    NoKey {
        /// The file or model.
        what: String,
        /// The identities on this machine.
        tried: Vec<String>,
    },
    /// The place is taken.
    Exists(PathBuf),
    /// A file cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be sealed. Which of the two failed is in the system's words.
    Seal {
        /// What is sealed.
        plain: PathBuf,
        /// Where to.
        sealed: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It opens, and holds something else than was sealed here.
    HoldsAnother {
        /// The file or model.
        what: String,
        /// The root of what it holds.
        found: Root,
        /// The root of what was sealed.
        sealed: Root,
    },
    /// The record of what was sealed here is damaged.
    DamagedRecord(PathBuf),
    /// Nothing says what it must turn out to hold.
    Unanchored(String),
    /// An identity cannot be used.
    Identity(IdentityError),
    /// There is no home to keep a record in.
    Home(HomeError),
}

impl SealedError {
    /// Makes an error from a sealed file that does not open. `what` names the file or the model.
    pub fn opening(what: impl fmt::Display) -> impl FnOnce(OpenError) -> Self {
        move |source| Self::Open { what: what.to_string(), source }
    }

    /// Makes an error from a file or folder that did not get its place.
    pub(super) fn writing_new(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::Write { path: path.to_owned(), source },
        }
    }
}

impl fmt::Display for SealedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { what, .. } => write!(f, "{what} cannot be read"),
            Self::ArmorTooLong(path) => write!(f, "{} is armored and larger than 1 GiB", path.display()),
            Self::Armor { path, .. } => write!(f, "{} cannot be opened", path.display()),
            Self::Open { what, .. } | Self::NoKey { what, .. } => write!(f, "{what} cannot be opened"),
            Self::Exists(path) if path == Path::new("-") => {
                f.write_str("sealed bytes cannot be written to a terminal or stdout")
            }
            Self::Exists(path) => write!(f, "{} already exists", path.display()),
            Self::Write { path, .. } => write!(f, "{} cannot be written", path.display()),
            Self::Seal { plain, sealed, .. } => {
                write!(f, "{} cannot be sealed into {}", plain.display(), sealed.display())
            }
            Self::HoldsAnother { what, found, sealed } => {
                write!(f, "{what} holds {found}, and {sealed} was sealed here")
            }
            Self::DamagedRecord(path) => write!(f, "{} is damaged", path.display()),
            Self::Unanchored(what) => {
                write!(f, "{what} is sealed, and no trusted signature covers its contents")
            }
            Self::Identity(error) => error.fmt(f),
            Self::Home(error) => error.fmt(f),
        }
    }
}

impl Error for SealedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } | Self::Seal { source, .. } => {
                Some(source)
            }
            Self::Armor { source, .. } => Some(source),
            Self::Open { source, .. } => Some(source),
            Self::NoKey { .. } => Some(&OpenError::NoIdentity),
            // Their text is this error's text.
            Self::Identity(error) => error.source(),
            Self::Home(error) => error.source(),
            Self::ArmorTooLong(_)
            | Self::Exists(_)
            | Self::HoldsAnother { .. }
            | Self::DamagedRecord(_)
            | Self::Unanchored(_) => None,
        }
    }
}

impl From<IdentityError> for SealedError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl From<PassphraseError> for SealedError {
    fn from(error: PassphraseError) -> Self {
        Self::Identity(error.into())
    }
}

impl From<HomeError> for SealedError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}
