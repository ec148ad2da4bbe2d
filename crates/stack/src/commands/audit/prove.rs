//! `stack audit prove`: proofs that are checked without the log, as RFC 9162 says.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stack_seal::hex;

use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Subcommand)]
pub(super) enum Proof {
    /// Prove that an entry is in the log
    Inclusion(Inclusion),
    /// Prove that the log of later continues the log of earlier
    Consistency(Consistency),
}

#[derive(Debug, Args)]
pub(super) struct Inclusion {
    /// Index of the entry
    index: u64,
    /// In the log of so many entries [default: all]
    #[arg(long, value_name = "N")]
    size: Option<u64>,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, Args)]
pub(super) struct Consistency {
    /// Entries that the log had
    old: u64,
    /// Entries that it had later [default: all]
    new: Option<u64>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints a proof.
pub(super) fn run(proof: &Proof) -> Result<(), CommandError> {
    match proof {
        Proof::Inclusion(Inclusion { index, size, common }) => {
            let proof = super::log(common)?.prove_inclusion(*index, *size)?;
            let proof = proof.ok_or_else(|| missing(&format!("entry {index} is not among them")))?;
            let (leaf, root) = (hex::encode(&proof.leaf), hex::encode(&proof.root));
            let proof = json!({
                "index": proof.index,
                "leaf": leaf,
                "size": proof.size,
                "root": root,
                "path": proof.path.iter().map(|hash| hex::encode(hash)).collect::<Vec<_>>(),
            });
            print(&proof, common)
        }
        Proof::Consistency(Consistency { old, new, common }) => {
            let proof = super::log(common)?.prove_consistency(*old, *new)?;
            let proof = proof.ok_or_else(|| missing(&format!("it never went from {old} entries to that")))?;
            let proof = json!({
                "old_size": proof.old.0,
                "old_root": hex::encode(&proof.old.1),
                "new_size": proof.new.0,
                "new_root": hex::encode(&proof.new.1),
                "path": proof.path.iter().map(|hash| hex::encode(hash)).collect::<Vec<_>>(),
            });
            print(&proof, common)
        }
    }
}

fn print(proof: &Value, common: &CommonArguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    if common.json {
        return data.json(proof);
    }
    let Value::Object(fields) = proof else { return Ok(()) };
    for (name, value) in fields {
        for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            data.line(&format!("{name:<9} {text}"))?;
        }
    }
    Ok(())
}

fn missing(why: &str) -> CommandError {
    CommandError::new(Kind::Missing, format!("the audit log has not so many entries: {why}"))
        .hint("`stack audit verify` says how many there are")
}
