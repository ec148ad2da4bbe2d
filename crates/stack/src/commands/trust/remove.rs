//! `stack trust remove`.

use clap::Args;
use stack_seal::key::PublicKey;

use super::list;
use crate::command_error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::trust::TrustFolder;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The name of an identity, or one key
    #[arg(value_name = "NAME|KEY")]
    what: String,
    /// Declare that its signatures never count again, whoever brings them
    #[arg(long)]
    revoke: bool,
    /// Say why
    #[arg(long, value_name = "TEXT", requires = "revoke")]
    reason: Option<String>,
    #[command(flatten)]
    pub(super) common: CommonArguments,
}

/// Changes `trust.toml`.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let folder = TrustFolder::new(&arguments.common.home()?);
    let policy = folder.policy()?;
    let mut document = folder.document()?;
    let named = policy.identities.iter().find(|identity| identity.name == arguments.what);
    let keys = match (named, arguments.what.parse::<PublicKey>()) {
        (Some(identity), _) => {
            // A revoked key stays with its name, so that what it signed is called revoked and not unknown.
            if !arguments.revoke {
                document.remove_identity(&identity.name);
            }
            identity.keys.clone()
        }
        (None, Ok(key)) if arguments.revoke || policy.identity(&key).is_some() => {
            if !arguments.revoke {
                document.remove_key(&key);
            }
            vec![key]
        }
        (None, _) => {
            let message = format!("{} is neither the name nor a key of an identity", arguments.what);
            return Err(CommandError::new(Kind::Missing, message)
                .reason("no-key")
                .hint("`stack trust list` shows them"));
        }
    };
    if arguments.revoke {
        for key in &keys {
            document.revoke(key, arguments.reason.as_deref());
        }
    }
    let policy = folder.write(&document)?;
    arguments.common.talk(format!("written: {}", folder.file().display()));
    list::print(&policy, arguments.common.json)
}
