//! `stack audit show`.

use clap::Args;
use serde_json::{Value, json};
use stack_audit::{FullEntry, StreamId, export};

use super::row;
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The index of an entry, or a session or subsystem such as `registry`
    #[arg(value_name = "INDEX|ID", value_parser = What::parse)]
    what: What,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Entry(u64),
    Stream(StreamId),
}

impl What {
    fn parse(text: &str) -> Result<Self, String> {
        // No stream has a name of digits alone that is shorter than 32 of them.
        match text.parse() {
            Ok(index) if text.len() < 32 => Ok(Self::Entry(index)),
            _ => text.parse().map(Self::Stream).map_err(|error: stack_audit::BadStream| error.to_string()),
        }
    }
}

/// Prints an entry in full, or all entries of a stream.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let log = super::log(&arguments.common)?;
    let mut data = Data::new();
    match arguments.what {
        What::Entry(index) => {
            let found = log.entry(index)?.ok_or_else(|| {
                CommandError::new(Kind::Missing, format!("the audit log has no entry {index}"))
                    .hint("`stack audit list` shows the latest ones")
            })?;
            if arguments.common.json { data.json(&row::json(&found)) } else { print(&found, &mut data) }
        }
        What::Stream(stream) => {
            let entries = log.entries(stream, 1, usize::MAX)?;
            if entries.is_empty() {
                return Err(stack_audit::AuditError::UnknownStream(stream).into());
            }
            if arguments.common.json {
                let entries: Vec<Value> = entries.iter().map(row::json).collect();
                return data.json(&json!({ "entries": entries }));
            }
            data.write(&export::lines(&entries))
        }
    }
}

fn print(found: &FullEntry, data: &mut Data) -> Result<(), CommandError> {
    let Value::Object(fields) = row::json(found) else { return Ok(()) };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Object(_) | Value::Array(_) => format!("{value:#}"),
            _ => value.to_string(),
        };
        data.line(&sanitize(&format!("{name:<14} {shown}")))?;
    }
    Ok(())
}
