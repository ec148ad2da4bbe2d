//! `stack rm`: drops names, and frees what nothing else needs.

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::gc::{self, Removed};
use stack_registry::name::Name;

use crate::audit::{Act, ActKind};
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::Data;
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The models
    #[arg(required = true, value_name = "NAME", value_parser = Name::parse)]
    names: Vec<Name>,
    /// Print what would be removed and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    removed: Vec<String>,
    freed: Vec<String>,
    freed_bytes: u64,
    dry_run: bool,
}

impl Report {
    fn of(removed: &Removed, dry_run: bool) -> Self {
        let Removed { names, freed } = removed;
        Self {
            removed: names.iter().map(Name::short).collect(),
            freed_bytes: freed.iter().map(|blob| blob.bytes).sum(),
            freed: freed.iter().map(|blob| blob.digest.to_string()).collect(),
            dry_run,
        }
    }
}

/// Removes the models.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let store = arguments.common.store_with(&arguments.names[0])?;
    let remove = || -> Result<Report, CommandError> {
        let removed = gc::remove(&store, &arguments.names, arguments.dry_run)?;
        Ok(Report::of(&removed, arguments.dry_run))
    };
    let report = if arguments.dry_run {
        remove()?
    } else {
        let asked: Vec<String> = arguments.names.iter().map(Name::short).collect();
        arguments.common.audit()?.record(Act::new(ActKind::REMOVE, json!({"names": asked})), || {
            let report = remove()?;
            let about = json!({"names": report.removed, "freed_bytes": report.freed_bytes});
            Ok((report, about))
        })?
    };
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    let (removed, would) = if report.dry_run { ("would remove", "would free") } else { ("removed", "freed") };
    for name in &report.removed {
        data.line(&format!("{removed} {name}"))?;
    }
    data.line(&format!("{would} {} in {} blobs", units::bytes(report.freed_bytes), report.freed.len()))
}
