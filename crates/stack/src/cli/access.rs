//! What it takes to open a model: where the store and the trust are, and who opens what is sealed.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use stack_registry::model::FileBytes;
use stack_seal::age::{Header, Identity, OpenError, Passphrase, UnlockedFile, X25519Recipient};
use stack_seal::keyfile::IdentityFile;

use crate::error::CommandError;
use crate::home::{Home, HomeArguments, identities};
use crate::sealing::keyring::{Keyring, Sealed, Sources};
use crate::sealing::record::SealRecord;
use crate::sealing::sealed;
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
    passphrase: PassphraseArguments,
    #[arg(skip)]
    keyring: Keyring,
}

impl AccessArguments {
    /// Finds the home folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }
}

impl KeyArguments {
    /// Unlocks a sealed file of the model `name` in the store; `noted` is who can open it according to its manifest.
    pub(crate) fn unlock(
        &self,
        home: &Home,
        name: &str,
        bytes: &FileBytes,
        noted: &[X25519Recipient],
    ) -> Result<UnlockedFile, CommandError> {
        let FileBytes::Sealed { header, payload } = bytes else {
            unreachable!("callers ask for sealed files")
        };
        let (header, _) = Header::read(&header.file).map_err(|error| sealed::cannot_open(name, error))?;
        let attempt = |keys: &[Identity]| {
            let payload = payload.file.try_clone().map_err(OpenError::Io)?;
            UnlockedFile::open_payload(&header, payload, keys)
        };
        self.open(home, name, &header, noted, &attempt).map(|(unlocked, _)| unlocked)
    }

    /// Unlocks a sealed file that lies at a path, and returns what is known of it.
    pub(crate) fn unlock_file(
        &self,
        home: &Home,
        path: &Path,
    ) -> Result<(UnlockedFile, Option<SealRecord>), CommandError> {
        let name = path.display().to_string();
        let file = sealed::open(path)?;
        let (header, _) = Header::read(&file).map_err(|error| sealed::cannot_open(&name, error))?;
        // What the machine noted is a help in finding the key; that it is damaged matters where it must be believed.
        let record = SealRecord::find(home, &name, &file);
        let noted = record.as_ref().ok().and_then(Option::as_ref).map(|record| record.recipients.clone());
        let attempt = |keys: &[Identity]| UnlockedFile::open(file.try_clone().map_err(OpenError::Io)?, keys);
        let (unlocked, _) = self.open(home, &name, &header, &noted.unwrap_or_default(), &attempt)?;
        Ok((unlocked, record?))
    }

    /// Opens what has this header with the first key at hand that fits.
    pub(crate) fn open<T>(
        &self,
        home: &Home,
        name: &str,
        header: &Header,
        noted: &[X25519Recipient],
        attempt: &dyn Fn(&[Identity]) -> Result<T, OpenError>,
    ) -> Result<(T, Arc<Identity>), CommandError> {
        let sources = Sources { home, named: self.identity.as_deref(), passphrase: &self.passphrase };
        self.keyring.open(&Sealed { name, header, noted }, &sources, attempt)
    }

    /// Opens the identity that is named, or the only one there is, to sign with it.
    pub(crate) fn identity(&self, home: &Home) -> Result<IdentityFile, CommandError> {
        identities::open(home, self.identity.as_deref(), &self.passphrase)
    }

    /// Asks for a new passphrase for `name`.
    pub(crate) fn new_passphrase(&self, name: &str) -> Result<Passphrase, CommandError> {
        self.passphrase.new_for(name)
    }
}
