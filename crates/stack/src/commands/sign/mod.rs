//! `stack sign`: vouches for a model.

mod cosign;
mod statement;

use std::path::{Path, PathBuf};

use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};
use serde_json::json;
use stack_registry::manifest::kind;
use stack_seal::bundle::Bundle;
use stack_seal::key::PublicKey;
use stack_seal::statement::Tier;
use stack_trust::private_file::{self, FileMode};
use stack_trust::target::{HasherOptions, Target};
use stack_trust::{identity, signatures};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::models::choice::ModelArgument;
use crate::options::CommonArguments;
use crate::process::threads;
use crate::terminal::interruptible;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::passphrase::PassphraseArguments;
use crate::terminal::progress::FileBars;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file, a folder, or the name of a stored model
    target: ModelArgument,
    /// Identity to sign as; optional if there is only one
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Name to sign it as [default: the file name]
    #[arg(long, value_name = "NAME", conflicts_with = "cosign")]
    name: Option<String>,
    /// Highest privacy tier the weights may be given to
    #[arg(long, value_name = "TIER", default_value = "standard", value_parser = tiers())]
    tier: Tier,
    /// Validity of the signature, such as 400d or 12h, or `never` to expire
    #[arg(long, value_name = "TIME", default_value = "400d", value_parser = statement::lifetime)]
    expires: statement::Lifetime,
    /// Serial number of the statement [default: seconds since 1970]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..1 << 53))]
    serial: Option<u64>,
    /// A stored model it was made from, for example quantized=qwen3-4b
    #[arg(long, value_name = "RELATION=NAME")]
    parent: Vec<String>,
    /// Require a second signature, by this identity or key
    #[arg(long, value_name = "ID", conflicts_with = "cosign")]
    also: Vec<String>,
    /// Record where the model came from
    #[arg(long, value_name = "REFERENCE", conflicts_with = "cosign")]
    origin: Option<String>,
    /// Record the licence, as an SPDX expression
    #[arg(long, value_name = "LICENSE", conflicts_with = "cosign")]
    license: Option<String>,
    /// Record how the model was made
    #[arg(long, value_name = "TEXT", conflicts_with = "cosign")]
    recipe: Option<String>,
    /// Add a second signature to this bundle, after verifying it
    #[arg(long, value_name = "BUNDLE")]
    cosign: Option<PathBuf>,
    /// Output file for the signature
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Says what is signed, and signs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    interruptible::end_on_interrupt(arguments.common.json, "nothing was signed")?;
    let home = arguments.common.home()?;
    let target = arguments.target.target(&home)?;
    // Who signs is settled before hours of hashing.
    let identity = identity::open(&home, arguments.identity.as_deref(), &arguments.passphrase)?;
    let key = identity.signing().public();
    arguments.keep_what_others_signed(&key)?;
    let bars = FileBars::new("hashing");
    let progress = |name: &str, done, total| bars.show(name, done, total);
    let hashing = HasherOptions { workers: threads::usable(), progress: &progress };
    let (statement, payload) = if let Some(first) = &arguments.cosign {
        cosign::check(&home, &target, first, &key, hashing)?
    } else {
        let statement = statement::make(arguments, &home, &target, &key, &hashing)?;
        let payload = statement.to_payload();
        (statement, payload)
    };
    drop(bars);
    for line in statement::describe(&statement) {
        arguments.common.stderr(line);
    }
    let about = json!({
        "model": statement.model(),
        "name": statement.claim().map(|claim| claim.name.clone()),
        "root": statement.root().to_string(),
        "public_key": key.to_string(),
        "tier": statement.claim().map(|claim| claim.tier.name()),
        "cosigned": arguments.cosign.is_some(),
    });
    let place = arguments.common.audit()?.record(Act::new(ActKind::SIGN, about), || {
        let bundle = Bundle::sign(payload, identity.signing());
        let place = write(arguments, &target, &bundle, &key)?;
        let about = json!({"signature": place});
        Ok((place, about))
    })?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&json!({
            "signature": place,
            "key": key.to_string(),
            "root": statement.root().to_string(),
            "name": statement.claim().map(|claim| claim.name.clone()),
            "serial": statement.claim().map(|claim| claim.serial),
        }));
    }
    data.line(&sanitize(&place))
}

impl Arguments {
    /// Refuses an output file that is there and is not this key's own signature, which alone may be replaced.
    fn keep_what_others_signed(&self, key: &PublicKey) -> Result<(), CommandError> {
        match &self.output {
            Some(path) if path.exists() && !is_signed_by(path, key) => {
                let message = format!("{} exists, and is no signature of this identity", path.display());
                Err(CommandError::new(Kind::Usage, message).reason("exists").hint(
                    "choose another file with -o, or leave -o out: the signature gets a name of its own",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Writes the bundle beside the target, or into the store, and says where it is.
fn write(
    arguments: &Arguments,
    target: &Target,
    bundle: &Bundle,
    key: &PublicKey,
) -> Result<String, CommandError> {
    let further = arguments.cosign.as_ref().map(|_| key.hint());
    let path = match (&arguments.output, target) {
        (Some(path), _) => path.clone(),
        (None, Target::File(path) | Target::Folder(path)) => {
            let first = signatures::path_of(path, None);
            let is_taken = further.is_none() && first.exists() && !is_signed_by(&first, key);
            let further = further.or_else(|| is_taken.then(|| key.hint()));
            signatures::path_of(path, further.as_deref())
        }
        (None, Target::Stored(stored)) => {
            let lease = stored.store.lease()?;
            let manifest = &stored.model.entry.manifest;
            let put = stored.store.attach(&lease, manifest, kind::BUNDLE, &bundle.to_json())?;
            return Ok(put.digest.to_string());
        }
    };
    write_file(&path, bundle)?;
    Ok(path.display().to_string())
}

/// Whether a signature file is this key's own, which a new one replaces. Those of others stay.
fn is_signed_by(path: &Path, key: &PublicKey) -> bool {
    signatures::read(path).is_ok_and(|named| named.open(&[]).is_ok_and(|signed| signed.key() == key))
}

fn write_file(path: &Path, bundle: &Bundle) -> Result<(), CommandError> {
    let mut bytes = bundle.to_json();
    bytes.push(b'\n');
    private_file::replace(path, &bytes, FileMode::Public).map_err(|error| {
        CommandError::writing_file(path.display(), error)
            .hint("check the permissions, or choose another file with -o")
    })
}

fn tiers() -> impl TypedValueParser<Value = Tier> {
    let names = PossibleValuesParser::new(Tier::ALL.map(Tier::name));
    names.map(|name| Tier::from_name(&name).expect("only names of tiers are possible"))
}
