//! `stack rm`: drops names, and frees what nothing else needs.

use clap::Args;
use serde::Serialize;
use stack_registry::gc::{self, Removed};
use stack_registry::name::Name;

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

/// Removes the models.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let store = arguments.common.store_with(&arguments.names[0])?;
    let Removed { names, freed } = gc::remove(&store, &arguments.names, arguments.dry_run)?;
    let report = Report {
        removed: names.iter().map(Name::short).collect(),
        freed_bytes: freed.iter().map(|blob| blob.bytes).sum(),
        freed: freed.iter().map(|blob| blob.digest.to_string()).collect(),
        dry_run: arguments.dry_run,
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
