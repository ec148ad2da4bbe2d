//! `stack push`: sends a model to a registry.

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::fetch::RetryFetch;
use stack_registry::name::{Name, Reference};
use stack_registry::oci::Scope;
use stack_registry::pull::TransferErrorKind;
use stack_registry::push::{Pusher, Weights};
use stack_registry::store::{Store, StoreError};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::transfer::TransferArguments;
use crate::process::machine;
use crate::terminal::output::Data;
use crate::terminal::{interruptible, units};
use crate::transport::registry::{Plaintext, registry};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A model of the store
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    #[arg(value_name = "REF", value_parser = Reference::parse, help = "oci://host/repo[:tag]")]
    reference: Reference,
    /// Refuse weights that are not sealed
    #[arg(long)]
    sealed_only: bool,
    /// Use http: the default for a registry on this machine, refused elsewhere
    #[arg(long)]
    plain_http: bool,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
}

/// What a push prints.
#[derive(Serialize)]
struct Report {
    name: String,
    to: String,
    manifest: String,
    files_sent: usize,
    bytes_sent: u64,
    referrers: usize,
}

/// Sends what the registry lacks.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.transfer.common.home()?;
    let fetcher = arguments.transfer.fetcher(&home)?;
    let Reference::Oci { host, repository, version } = &arguments.reference else {
        return Err(
            CommandError::new(Kind::Usage, "the target must be oci://host/repo[:tag]").reason("bad-name")
        );
    };
    if version.contains(':') {
        return Err(
            CommandError::new(Kind::Usage, "the target must be a tag, not a digest").reason("bad-name")
        );
    }
    let plaintext = if arguments.plain_http { Plaintext::Asked } else { Plaintext::OnLoopback };
    let remote = registry(host, repository, Scope::Push, plaintext, fetcher.interrupt())?;
    let store = Store::existing(home.root()?)?;
    let store = store.ok_or_else(|| StoreError::missing(arguments.name.short()))?;
    let (entry, _lease) = store.hold(&arguments.name)?;
    let show = arguments.transfer.progress();
    let watch = |progress: stack_registry::progress::Progress<'_>| show.note(&progress);
    let weights = if arguments.sealed_only { Weights::Sealed } else { Weights::Any };
    let patient = RetryFetch::new(&fetcher, machine::seed()?);
    let pusher = Pusher { store: &store, fetch: &patient, remote: &remote, watch: &watch, weights };
    let to = format!("{remote}:{version}");
    let manifest = entry.manifest.digest.to_string();
    let about = json!({"name": arguments.name.short(), "to": to, "manifest": manifest});
    let act = Act::new(ActKind::PUSH, about).at_tier(fetcher.tier());
    let sent = arguments.transfer.common.audit()?.record(act, || {
        let sent = pusher.push(&entry, version);
        show.end();
        let sent = sent.map_err(|error| match error.kind {
            TransferErrorKind::Interrupted => interruptible::stopped(
                "the registry keeps the files that were sent whole, and the same command sends the others",
            ),
            _ => error.into(),
        })?;
        let about = json!({"files": sent.files, "bytes": sent.bytes, "signatures": sent.referrers});
        Ok((sent, about))
    })?;
    let mut data = Data::new();
    if arguments.transfer.common.json {
        return data.json(&Report {
            name: arguments.name.short(),
            to,
            manifest,
            files_sent: sent.files,
            bytes_sent: sent.bytes,
            referrers: sent.referrers,
        });
    }
    arguments.transfer.say(&format!(
        "pushed {} of {} files ({}) and {} signatures",
        sent.files,
        store.manifest(&entry.manifest.digest).map_or(0, |manifest| manifest.needs().count()),
        units::bytes(sent.bytes),
        sent.referrers,
    ));
    data.line(&format!("{to} {}", entry.manifest.digest))
}
