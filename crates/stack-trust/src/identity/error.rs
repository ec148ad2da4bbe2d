//! Why an identity cannot be used.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use stack_seal::age::KeyTextError;
use stack_seal::key::KeyError;
use stack_seal::keyfile::KeyFileError;

use crate::home::HomeError;
use crate::passphrase::PassphraseError;

/// Why an identity cannot be used.
#[derive(Debug)]
pub enum IdentityError {
    /// The name could not be that of a file.
    BadName(String),
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither an identity nor a file is called so.
    Unknown {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
        /// The only identity here whose name is like it.
        nearest: Option<String>,
    },
    /// The identities here cannot be listed.
    List {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of a new identity cannot be written, or is there already.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file does not open.
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyFileError,
    },
    /// A key file does not belong to the public file beside it.
    Mismatch(PathBuf),
    /// Something is no public key.
    NotAKey {
        /// The text, or the file.
        what: String,
        /// Why.
        source: KeyError,
    },
    /// A text is no recipient.
    NotARecipient(String),
    /// A file of age's keys has a line that is none.
    BadAgeKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyTextError,
    },
    /// There is no identity on this machine.
    Absent,
    /// There are several, and none was named; these are they.
    Several(Vec<String>),
    /// It is not known where identities are.
    Home(HomeError),
    /// Nobody says the passphrase.
    Passphrase(PassphraseError),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(name) => write!(f, "{name:?} is not a valid identity name"),
            Self::Read { path, .. } | Self::Unknown { path, .. } | Self::List { folder: path, .. } => {
                write!(f, "{} cannot be read", path.display())
            }
            Self::Write { path, .. } => write!(f, "{} cannot be written", path.display()),
            Self::Open { path, .. } => write!(f, "the key file {} cannot be opened", path.display()),
            Self::Mismatch(path) => {
                write!(f, "{} does not belong to the public key beside it", path.display())
            }
            Self::NotAKey { what, .. } => write!(f, "{what} is not a public key"),
            Self::NotARecipient(text) => write!(f, "{text} is not a recipient"),
            Self::BadAgeKey { path, .. } => write!(f, "{} holds a line that is no key", path.display()),
            Self::Absent => f.write_str("no identity on this machine"),
            Self::Several(names) => write!(f, "there are several identities: {}", names.join(", ")),
            Self::Home(error) => error.fmt(f),
            Self::Passphrase(error) => error.fmt(f),
        }
    }
}

impl Error for IdentityError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. }
            | Self::Unknown { source, .. }
            | Self::List { source, .. }
            | Self::Write { source, .. } => Some(source),
            Self::Open { source, .. } => Some(source),
            Self::NotAKey { source, .. } => Some(source),
            Self::BadAgeKey { source, .. } => Some(source),
            // Their text is this error's text.
            Self::Home(error) => error.source(),
            Self::Passphrase(error) => error.source(),
            Self::BadName(_)
            | Self::Mismatch(_)
            | Self::NotARecipient(_)
            | Self::Absent
            | Self::Several(_) => None,
        }
    }
}

impl From<HomeError> for IdentityError {
    fn from(error: HomeError) -> Self {
        Self::Home(error)
    }
}

impl From<PassphraseError> for IdentityError {
    fn from(error: PassphraseError) -> Self {
        Self::Passphrase(error)
    }
}
