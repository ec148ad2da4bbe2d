//! What it takes to open a model: where the store and the trust are, and who opens what is sealed.

use std::fs::File;
use std::io::Read;

use clap::Args;
use stack_registry::model::FileBytes;
use stack_seal::age::{Header, Identity, UnlockedFile};

use crate::command_error::{CommandError, Kind};
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
        let io = |error| CommandError::reading(format!("the sealed file of {name}"), error);
        let mut text = Vec::new();
        let clone = |file: &File| file.try_clone().map_err(io);
        read_from_start(&header.file, header.length, &mut text).map_err(io)?;
        let header = Header::parse(&text).map(|(header, _)| header).map_err(|error| {
            CommandError::new(Kind::Malformed, format!("the sealed file of {name} has no usable header"))
                .reason("bad-age-header")
                .caused(error)
                .hint("fetch it again with `stack pull --update`")
        })?;
        let key = if header.wants_passphrase() {
            Identity::Passphrase(self.passphrase.existing(name)?)
        } else {
            let identity = identities::open(&self.home()?, self.identity.as_deref(), &self.passphrase)?;
            Identity::X25519(identity.into_opening())
        };
        UnlockedFile::open_payload(&header, clone(&payload.file)?, &[key])
            .map_err(|error| sealed::cannot_open(name, error))
    }
}

/// Reads a whole small file, wherever its position is.
fn read_from_start(file: &File, length: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom};

    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    file.take(length).read_to_end(bytes).map(|_| ())
}
