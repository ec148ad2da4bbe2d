//! `stack adapters show`.

use clap::Args;
use serde_json::Value;

use super::{list, of_provider};
use crate::adapters;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Provider: a kind such as vllm, or a configured name with an adapter of its own
    provider: String,
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints the specs of a provider as they are; one for each of its families.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let set = adapters::read(&arguments.common.home()?)?;
    let entries = of_provider(&set, &arguments.provider)?;
    let mut data = Data::new();
    if arguments.common.json {
        let rows = entries.into_iter().map(|entry| {
            let mut row = list::row(entry);
            row["spec"] = serde_json::from_str(&entry.text).unwrap_or(Value::Null);
            row
        });
        return data.json(&rows.collect::<Vec<_>>());
    }
    entries.into_iter().try_for_each(|entry| data.write_foreign(&entry.text))
}
