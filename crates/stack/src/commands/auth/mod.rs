//! `stack auth`: who may use a server, by API keys.

mod create;
mod list;
mod revoke;
mod row;

use clap::{Args, Subcommand};

use crate::error::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Create, list and revoke the API keys of this home's server
    #[command(subcommand, visible_alias = "key")]
    Token(Action),
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an API key and print it, once
    Create(create::Arguments),
    /// List the API keys
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Revoke API keys; a running server refuses them from the next request on
    #[command(alias = "rm")]
    Revoke(revoke::Arguments),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Subject::Token(action) = &arguments.subject;
    match action {
        Action::Create(arguments) => create::run(arguments),
        Action::List(arguments) => list::run(arguments),
        Action::Revoke(arguments) => revoke::run(arguments),
    }
}
