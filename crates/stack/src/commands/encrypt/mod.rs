//! `stack encrypt`: seals weights, so that only those who are chosen can read them.

mod file;
mod model;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_seal::age::{Recipients, X25519Recipient};
use stack_trust::home::Home;
use stack_trust::passphrase::PassphraseSource;
use stack_trust::target::Target;

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::models::choice::ModelArgument;
use crate::options::{CommonArguments, recipients};
use crate::terminal::passphrase::PassphraseArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file, or the name of a stored model
    target: ModelArgument,
    /// Recipient: age1…, an identity on this machine, or @FILE with one per line
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "password_env")]
    recipient: Vec<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Output file [default: FILE.age]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Who can open what was sealed, for programs.
#[derive(Debug, Serialize)]
struct Readers {
    recipients: Vec<String>,
    passphrase: bool,
}

/// Seals a file, or the weights of a model.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.common.home()?;
    arguments.passphrase.entrusted();
    match arguments.target.target(&home)? {
        Target::File(path) => file::seal(arguments, &home, &path),
        Target::Stored(stored) => model::seal(arguments, &home, *stored),
        Target::Folder(path) => {
            let message = format!("{} is a folder; files are sealed one at a time", path.display());
            Err(CommandError::new(Kind::Usage, message).hint("give one of its files"))
        }
    }
}

impl Arguments {
    /// Finds for whom to seal, or asks for the passphrase.
    fn recipients(&self, home: &Home) -> Result<(Recipients, Readers), CommandError> {
        if self.passphrase.is_given() {
            let passphrase = self.passphrase.new_for(&self.target.text())?;
            let readers = Readers { recipients: Vec::new(), passphrase: true };
            return Ok((Recipients::Passphrase(passphrase), readers));
        }
        let keys = recipients::find(home, &self.recipient)?;
        let readers =
            Readers { recipients: keys.iter().map(X25519Recipient::to_string).collect(), passphrase: false };
        let recipients = Recipients::keys(keys).ok_or_else(|| {
            CommandError::new(Kind::Usage, "no recipient was given")
                .hint("give recipients with --recipient, or a passphrase with --password-env")
        })?;
        Ok((recipients, readers))
    }
}

impl Readers {
    /// The keys again.
    fn keys(&self) -> Vec<X25519Recipient> {
        self.recipients.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// The act of sealing something for them.
    fn act(&self, what: &str) -> Act {
        let Self { recipients, passphrase } = self;
        let how = if *passphrase { "passphrase" } else { "recipients" };
        Act::new(ActKind::ENCRYPT, json!({"what": what, "for": recipients, "opened_by": how}))
    }

    /// Says it to people.
    fn describe(&self) -> String {
        match self.recipients.len() {
            _ if self.passphrase => "with a passphrase".to_owned(),
            1 => "for one recipient".to_owned(),
            many => format!("for {many} recipients"),
        }
    }
}
