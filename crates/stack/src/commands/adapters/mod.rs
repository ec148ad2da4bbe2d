//! `stack adapters`: what providers call otherwise than the codecs of the program.

mod check;
mod diff;
mod list;
mod show;

use clap::{Args, Subcommand};
use stack_gateway::{AdapterEntry, AdapterSet};

use crate::error::{CommandError, Kind};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the adapters that a server of this home uses
    List(list::Arguments),
    /// Print the spec of an adapter
    Show(show::Arguments),
    /// Check a spec, and run its examples
    Check(check::Arguments),
    /// Show how the home's adapters differ from those of the program
    Diff(diff::Arguments),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::List(arguments) => list::run(arguments),
        Action::Show(arguments) => show::run(arguments),
        Action::Check(arguments) => check::run(arguments),
        Action::Diff(arguments) => diff::run(arguments),
    }
}

/// Finds the adapters of a provider, of which there is one for each family.
fn of_provider<'a>(set: &'a AdapterSet, provider: &str) -> Result<Vec<&'a AdapterEntry>, CommandError> {
    let found: Vec<_> = set.entries().filter(|entry| entry.adapter.provider() == provider).collect();
    if found.is_empty() {
        let message = format!("there is no adapter for the provider {provider}");
        return Err(CommandError::new(Kind::Missing, message)
            .reason("no-adapter")
            .hint("`stack adapters list` lists those that there are"));
    }
    Ok(found)
}
