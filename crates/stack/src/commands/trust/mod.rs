//! `stack trust`: says whose signatures count, in `trust.toml`.

mod add;
mod list;
mod remove;

use clap::{Args, Subcommand};

use crate::error::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Trust an identity for the models matched by a pattern
    Add(add::Arguments),
    /// List identities, rules and revocations
    List(list::Arguments),
    /// Stop trusting an identity or one of its keys
    Remove(remove::Arguments),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Add(arguments) => add::run(arguments),
        Action::List(arguments) => list::run(arguments),
        Action::Remove(arguments) => remove::run(arguments),
    }
}
