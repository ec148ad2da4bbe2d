//! Where passphrases come from: this crate asks nobody itself.

use std::error::Error;
use std::{fmt, io};

use stack_seal::age::Passphrase;

use crate::private_file::Exposure;

/// Whoever can say a passphrase: a person at a terminal, or a variable that somebody named.
pub trait PassphraseSource {
    /// Asks for the passphrase that opens `what`.
    ///
    /// # Errors
    ///
    /// When there is nobody to ask, or no answer.
    fn existing(&self, what: &str) -> Result<Passphrase, PassphraseError>;

    /// Asks for the passphrase that opens `what`, one of several things of which any will do; `None` skips it.
    ///
    /// # Errors
    ///
    /// When there is nobody to ask.
    fn existing_or_none(&self, what: &str) -> Result<Option<Passphrase>, PassphraseError>;

    /// Hears that secrets are about to be in the memory of this process: a key, a passphrase, what a sealed file holds.
    /// Before the first of them is there, whoever answers sees to it that no image of that memory is written anywhere.
    fn entrusted(&self);

    /// Hears that others on this machine may read a secret that is about to be used, or exchange it.
    fn exposed(&self, exposure: &Exposure);
}

/// Why there is no passphrase.
#[derive(Debug)]
pub enum PassphraseError {
    /// The variable that was named is empty or not set.
    Unset(String),
    /// Nobody can be asked.
    NoTerminal,
    /// What was typed cannot be read.
    Unreadable(io::Error),
    /// It was typed twice, and differently.
    Different,
    /// It is empty.
    Empty,
}

impl fmt::Display for PassphraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(name) => write!(f, "the environment variable {name} is empty or not set"),
            Self::NoTerminal => f.write_str("no terminal to ask for the passphrase"),
            Self::Unreadable(_) => f.write_str("the passphrase cannot be read"),
            Self::Different => f.write_str("the passphrases do not match"),
            Self::Empty => f.write_str("the passphrase is empty"),
        }
    }
}

impl Error for PassphraseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(source) => Some(source),
            Self::Unset(_) | Self::NoTerminal | Self::Different | Self::Empty => None,
        }
    }
}
