//! `stack version`: what `--version` prints, as a command.

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the version.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    if arguments.json {
        return data.json(&json!({"version": env!("CARGO_PKG_VERSION"), "commit": env!("STACK_COMMIT")}));
    }
    data.line(&format!("stack {VERSION}"))
}

/// The version, and the commit that it was built from.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("STACK_COMMIT"), ")");
