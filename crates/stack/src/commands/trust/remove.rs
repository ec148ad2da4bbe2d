//! `stack trust remove`.

use clap::Args;
use serde_json::{Value, json};
use stack_seal::bundle::Bundle;
use stack_seal::digest::Digest;
use stack_seal::key::PublicKey;
use stack_seal::revocation::{Revocation, Revoked};
use stack_trust::identity;
use stack_trust::policy::Policy;
use stack_trust::trust_file::{Document, TrustFolder};

use super::list;
use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::passphrase::PassphraseArguments;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An identity, a key or, with --revoke, the digest of a model or file
    #[arg(value_name = "NAME|KEY|DIGEST")]
    what: String,
    /// Revoke it permanently
    #[arg(long)]
    revoke: bool,
    /// Reason for the revocation
    #[arg(long, value_name = "TEXT", requires = "revoke")]
    reason: Option<String>,
    /// Sign the revocation as this identity, so that it counts wherever it is trusted
    #[arg(long, value_name = "NAME", requires = "revoke")]
    identity: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(flatten)]
    pub(super) common: CommonArguments,
}

/// Changes `trust.toml`, and writes a signed revocation if somebody is to sign it.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.common.home()?;
    let folder = TrustFolder::new(&home);
    let mut document = folder.document()?;
    let gone = gone(arguments, &folder.policy()?, &mut document)?;
    if arguments.revoke {
        for what in &gone {
            document.revoke(what, arguments.reason.as_deref());
        }
    }
    let signer = arguments.identity.as_deref();
    let signer = signer.map(|name| identity::open(&home, Some(name), &arguments.passphrase)).transpose()?;
    let about = json!({
        "removed": arguments.what,
        "revoked": arguments.revoke,
        "reason": arguments.reason,
        "signed_by": arguments.identity,
    });
    let policy = arguments.common.audit()?.record(Act::new(ActKind::TRUST, about), || {
        if let Some(signer) = &signer {
            for revoked in gone {
                let revocation = Revocation {
                    revoked,
                    since: None,
                    reason: arguments.reason.clone(),
                    issued: machine::now(),
                    signer: signer.signing().public(),
                };
                let bundle = Bundle::sign(revocation.to_payload(), signer.signing());
                let path = folder.keep_revocation(&bundle)?;
                arguments.common.stderr(format!("revocation: {} (share it)", path.display()));
            }
        }
        Ok((folder.write(&document)?, Value::Null))
    })?;
    if let Some(file) = folder.file() {
        arguments.common.stderr(format!("wrote {}", file.display()));
    }
    list::print(&policy, arguments.common.json)
}

/// Finds what is meant, and takes it out of the document. What is only revoked stays with its name, so that its
/// signatures are called revoked and not unknown.
fn gone(
    arguments: &Arguments,
    policy: &Policy,
    document: &mut Document,
) -> Result<Vec<Revoked>, CommandError> {
    if let Some(identity) = policy.identities.iter().find(|identity| identity.name == arguments.what) {
        if !arguments.revoke {
            document.remove_identity(&identity.name);
        }
        return Ok(identity.keys.iter().cloned().map(Revoked::Key).collect());
    }
    if let Ok(key) = arguments.what.parse::<PublicKey>()
        && (arguments.revoke || policy.identity(&key).is_some())
    {
        if !arguments.revoke {
            document.remove_key(&key);
        }
        return Ok(vec![Revoked::Key(key)]);
    }
    if let (true, Ok(root)) = (arguments.revoke, arguments.what.parse::<Digest>()) {
        return Ok(vec![Revoked::Root(root)]);
    }
    let message = format!("{} is neither the name nor the key of a known identity", arguments.what);
    Err(CommandError::new(Kind::Missing, message).reason("no-key").hint("`stack trust list` shows them"))
}
