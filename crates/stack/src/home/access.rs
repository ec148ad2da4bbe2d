//! What it takes to open a model: where the store and the trust are, and who opens what is sealed.

use clap::Args;
use stack_trust::home::Home;
use stack_trust::keyring::{Keyring, Opener};

use super::HomeArguments;
use crate::audit::AuditLog;
use crate::error::CommandError;
use crate::terminal::passphrase::PassphraseArguments;

/// The home folder and the identity that opens sealed weights.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArguments {
    #[command(flatten)]
    home: HomeArguments,
    #[command(flatten)]
    pub(crate) keys: KeyArguments,
}

/// Who opens what is sealed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KeyArguments {
    /// Identity that opens sealed weights: a name, or a key file; without it, all here are tried
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// One for the whole command, so that no passphrase is asked for twice.
    #[arg(skip)]
    keyring: Keyring,
}

impl AccessArguments {
    /// The same without asking anybody for a passphrase.
    #[must_use]
    pub(crate) fn silent(self) -> Self {
        Self { keys: self.keys.silent(), ..self }
    }

    /// Finds the home folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }

    /// Returns the audit log there.
    pub(crate) fn audit(&self) -> Result<&AuditLog, CommandError> {
        self.home.audit()
    }
}

impl KeyArguments {
    /// The same without asking anybody for a passphrase.
    #[must_use]
    pub(crate) fn silent(self) -> Self {
        Self { passphrase: self.passphrase.silent(), ..self }
    }

    /// Returns what opens sealed files, with the keys in this home.
    pub(crate) fn opener<'a>(&'a self, home: &'a Home) -> Opener<'a> {
        Opener {
            home,
            named: self.identity.as_deref(),
            passphrases: &self.passphrase,
            keyring: &self.keyring,
        }
    }
}
