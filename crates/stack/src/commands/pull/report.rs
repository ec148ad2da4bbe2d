//! What a pull prints.

use serde::Serialize;
use stack_registry::name::Name;
use stack_registry::pull::{Pulled, Upstream, UpstreamFile};
use stack_registry::store::Entry;

use super::Arguments;
use crate::error::CommandError;
use crate::terminal::output::Data;
use crate::terminal::units;

/// What a pull prints.
#[derive(Serialize)]
struct Report {
    name: String,
    manifest: String,
    origin: Option<String>,
    commit: Option<String>,
    signer: Option<String>,
    changed: bool,
}

/// What a dry run prints.
#[derive(Serialize)]
struct Offer {
    name: String,
    origin: String,
    commit: Option<String>,
    files: Vec<OfferedFile>,
}

#[derive(Serialize)]
struct OfferedFile {
    path: String,
    size_bytes: u64,
    digest: Option<String>,
}

/// Prints what became of a pull.
pub(super) fn print(
    arguments: &Arguments,
    pulled: &Pulled,
    upstream: &Upstream<'_>,
) -> Result<(), CommandError> {
    match pulled {
        Pulled::Named(entry) => report(arguments, entry, true),
        Pulled::Unchanged(entry) => {
            arguments.transfer.say("already up to date");
            report(arguments, entry, false)
        }
        Pulled::Kept(entry) => {
            let now = upstream.commit.as_deref().unwrap_or("something else");
            let name = entry.name.short();
            arguments
                .transfer
                .say(&format!("{name} was not changed; upstream now has {now} (take it with --update)"));
            report(arguments, entry, false)
        }
    }
}

/// Prints what a name means now.
pub(super) fn report(arguments: &Arguments, entry: &Entry, changed: bool) -> Result<(), CommandError> {
    let mut data = Data::new();
    if arguments.transfer.common.json {
        return data.json(&Report {
            name: entry.name.short(),
            manifest: entry.manifest.digest.to_string(),
            origin: entry.record.origin.clone(),
            commit: entry.record.commit.clone(),
            signer: entry.record.signer.clone(),
            changed,
        });
    }
    data.line(&format!("{} {}", entry.name.short(), entry.manifest.digest))
}

/// Prints what a pull would fetch.
pub(super) fn print_offer(
    arguments: &Arguments,
    upstream: &Upstream<'_>,
    name: &Name,
) -> Result<(), CommandError> {
    let mut data = Data::new();
    if arguments.transfer.common.json {
        let file = |file: &UpstreamFile<'_>| OfferedFile {
            path: file.path.to_string(),
            size_bytes: file.size,
            digest: file.digests.first().map(ToString::to_string),
        };
        return data.json(&Offer {
            name: name.short(),
            origin: upstream.origin.clone(),
            commit: upstream.commit.clone(),
            files: upstream.files.iter().map(file).collect(),
        });
    }
    for file in &upstream.files {
        let digest = file.digests.first().map_or_else(|| "no digest".to_owned(), ToString::to_string);
        data.line(&format!("{}  {}  {digest}", file.path, units::bytes(file.size)))?;
    }
    data.line(&format!("{} from {}", name.short(), upstream.origin))
}
