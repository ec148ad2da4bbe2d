//! `stack audit checkpoint`.

use clap::Args;
use serde_json::json;
use stack_audit::note::Note;
use stack_seal::hex;

use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
}

/// Makes a checkpoint, and prints it to be kept elsewhere.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let (audit, _) = arguments.common.audit()?.writable()?;
    let note = audit.checkpoint()?;
    let mut data = Data::new();
    if !arguments.common.json {
        return data.write(&note);
    }
    let checkpoint = Note::parse(&note).map_err(|error| {
        CommandError::new(Kind::Bug, "the log made a checkpoint that it cannot read").caused(error)
    })?;
    let checkpoint = checkpoint.claimed();
    data.json(&json!({
        "log": checkpoint.log.to_string(),
        "size": checkpoint.size,
        "root": hex::encode(&checkpoint.root),
        "note": note,
    }))
}
