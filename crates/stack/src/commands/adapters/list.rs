//! `stack adapters list`.

use clap::Args;
use serde_json::{Value, json};
use stack_gateway::AdapterEntry;

use crate::adapters::{self, digest};
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints what is in force for a server of this home.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let set = adapters::read(&arguments.common.home()?)?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&set.entries().map(row).collect::<Vec<_>>());
    }
    data.line(&format!("{:<16} {:<18} {:>7}  FILE", "PROVIDER", "FAMILY", "VERSION"))?;
    set.entries().try_for_each(|entry| {
        let adapter = &entry.adapter;
        let place = if entry.is_shipped { " (built in)" } else { "" };
        data.line(&sanitize(&format!(
            "{:<16} {:<18} {:>7}  {}{place}",
            adapter.provider(),
            adapter.family().as_str(),
            adapter.version(),
            entry.file
        )))
    })
}

/// Describes an adapter, for machines.
pub(super) fn row(entry: &AdapterEntry) -> Value {
    json!({
        "provider": entry.adapter.provider(),
        "family": entry.adapter.family().as_str(),
        "version": entry.adapter.version(),
        "file": entry.file,
        "built_in": entry.is_shipped,
        "digest": digest(entry),
        "examples": entry.adapter.examples().collect::<Vec<_>>(),
    })
}
