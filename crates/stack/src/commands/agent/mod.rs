//! `stack agent`: sessions in which a model works on a task with tools, under rules and under the eyes of a person.

mod list;
mod observer;
mod person;
mod policy_file;
mod replay;
mod report;
mod resume;
mod run;
mod show;
mod undo;
mod world;

use clap::{Args, Subcommand};
use stack_audit::Log;

pub(crate) use policy_file::PolicyFile;

use crate::error::{CommandError, audit};
use crate::home::access::AccessArguments;
use crate::options::{CommonArguments, Compute};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let a model work on a task in a folder
    Run(Box<run::Arguments>),
    /// List sessions
    List(list::Arguments),
    /// Show a session and what it did
    Show(show::Arguments),
    /// Go on with a session whose process has ended
    Resume(Box<resume::Arguments>),
    /// Check that a session's record is what its rules make of it, without a model
    Replay(replay::Arguments),
    /// Put back what a call of a tool changed
    Undo(undo::Arguments),
}

impl Arguments {
    /// What is computed with, where a model is.
    pub(crate) fn compute(&self) -> Option<&Compute> {
        match &self.action {
            Action::Run(arguments) => Some(&arguments.session.engine.compute),
            Action::Resume(arguments) => Some(&arguments.session.engine.compute),
            _ => None,
        }
    }
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Run(arguments) => run::run(arguments),
        Action::List(arguments) => list::run(arguments),
        Action::Show(arguments) => show::run(arguments),
        Action::Resume(arguments) => resume::run(arguments),
        Action::Replay(arguments) => replay::run(arguments),
        Action::Undo(arguments) => undo::run(arguments),
    }
}

/// Opens the log of the home for reading.
fn log(common: &CommonArguments) -> Result<Log, CommandError> {
    let folder = common.home()?.audit().map_err(|_| audit::homeless())?;
    Ok(Log::open(&folder)?)
}

/// The folder in which the old bytes of changed files are kept.
fn trash(access: &AccessArguments) -> Result<stack_agent::files::Trash, CommandError> {
    Ok(stack_agent::files::Trash::at(access.home()?.root()?.join(TRASH)))
}

const TRASH: &str = "agent/trash";
