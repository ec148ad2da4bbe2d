//! `stack audit`: what was done, and the proof of it.
//!
//! Reading needs no key and writes nothing. What changes the log (an erasure, a hold) or takes a part of it away (an
//! export) is itself an entry.

mod checkpoint;
mod erase;
mod export;
mod hold;
mod keys;
mod list;
mod prove;
mod row;
mod show;
mod verify;

use clap::{Args, Subcommand};
use stack_audit::Log;

use crate::error::{CommandError, audit};
use crate::options::CommonArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the latest entries
    List(list::Arguments),
    /// Show one entry, or all of a session or subsystem
    Show(show::Arguments),
    /// Verify the log or an export, offline
    Verify(verify::Arguments),
    /// Prove that an entry is in the log, or that the log only grew
    #[command(subcommand)]
    Prove(prove::Proof),
    /// Export a session or subsystem, with what it takes to verify it elsewhere
    Export(export::Arguments),
    /// Erase payloads; the chain stays whole
    Erase(erase::Arguments),
    /// Keep payloads from being erased, or list what is kept
    Hold(hold::Arguments),
    /// Sign the log as it is, and print the checkpoint
    Checkpoint(checkpoint::Arguments),
    /// Print the keys that sign the log
    Keys(keys::Arguments),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::List(arguments) => list::run(arguments),
        Action::Show(arguments) => show::run(arguments),
        Action::Verify(arguments) => verify::run(arguments),
        Action::Prove(proof) => prove::run(proof),
        Action::Export(arguments) => export::run(arguments),
        Action::Erase(arguments) => erase::run(arguments),
        Action::Hold(arguments) => hold::run(arguments),
        Action::Checkpoint(arguments) => checkpoint::run(arguments),
        Action::Keys(arguments) => keys::run(arguments),
    }
}

/// Opens the log of the home for reading.
fn log(common: &CommonArguments) -> Result<Log, CommandError> {
    let folder = common.home()?.audit().map_err(|_| audit::homeless())?;
    Ok(Log::open(&folder)?)
}
