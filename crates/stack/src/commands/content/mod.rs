//! `stack content`: texts for a purpose, drafted by a prompt or a model and checked by rules.

mod brief;
mod emit;
mod run;
mod types;
mod validate;

use clap::{Args, Subcommand};

use crate::error::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the types of text with their lengths and formats
    Types(types::Arguments),
    /// Print the prompt for a text
    Emit(emit::Arguments),
    /// Let a local model write a text, and check it
    Run(run::Arguments),
    /// Check a text by the rules of its type
    Validate(validate::Arguments),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Types(arguments) => types::run(arguments),
        Action::Emit(arguments) => emit::run(arguments),
        Action::Run(arguments) => run::run(arguments),
        Action::Validate(arguments) => validate::run(arguments),
    }
}
