//! What it takes to open a model: where the store and the trust are, and who opens what is sealed.

use clap::Args;
use stack_registry::model::FileBytes;
use stack_seal::age::{Header, Identity, Passphrase, UnlockedFile};
use stack_seal::keyfile::IdentityFile;

use crate::command_error::CommandError;
use crate::home::{Home, HomeArguments};
use crate::identities;
use crate::passphrase::PassphraseArguments;
use crate::sealed;

/// Where models are kept, and who opens what is sealed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArguments {
    #[command(flatten)]
    home: HomeArguments,
    /// Open sealed weights as this identity: a name, or the path of a key file
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

impl AccessArguments {
    /// Finds the home folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }

    /// Unlocks a sealed file of the model `name`: with a passphrase if it was sealed with one, else as an identity.
    pub(crate) fn unlock(&self, name: &str, bytes: &FileBytes) -> Result<UnlockedFile, CommandError> {
        let FileBytes::Sealed { header, payload } = bytes else {
            unreachable!("callers ask for sealed files")
        };
        let (header, _) = Header::read(&header.file).map_err(|error| sealed::cannot_open(name, error))?;
        let key = self.key(name, &header)?;
        let payload = payload.file.try_clone().map_err(|error| CommandError::reading(name, error))?;
        UnlockedFile::open_payload(&header, payload, &[key]).map_err(|error| sealed::cannot_open(name, error))
    }

    /// Returns what may open a header: a passphrase if it wants one, else an identity.
    pub(crate) fn key(&self, name: &str, header: &Header) -> Result<Identity, CommandError> {
        if header.wants_passphrase() {
            return self.passphrase.existing(name).map(Identity::Passphrase);
        }
        self.identity().map(|identity| Identity::X25519(identity.into_opening()))
    }

    /// Opens the identity that is named, or the only one there is.
    pub(crate) fn identity(&self) -> Result<IdentityFile, CommandError> {
        identities::open(&self.home()?, self.identity.as_deref(), &self.passphrase)
    }

    /// Asks for a new passphrase for `name`.
    pub(crate) fn new_passphrase(&self, name: &str) -> Result<Passphrase, CommandError> {
        self.passphrase.new_for(name)
    }
}
