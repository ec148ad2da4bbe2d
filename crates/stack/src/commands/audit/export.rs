//! `stack audit export`: a part of the log that leaves it, with its proof.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use serde_json::json;
use stack_audit::{ExportFormat, ExportOptions, StreamId};
use stack_trust::private_file::{self, FileMode};

use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Session or subsystem to export, such as `registry`
    #[arg(long, value_name = "ID", alias = "stream")]
    session: StreamId,
    /// json is verified elsewhere; text is for people
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: Format,
    /// Output file; must not exist yet [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Leave payloads out; what is left is verified all the same
    #[arg(long)]
    withhold: bool,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Text,
}

/// Writes the document. That it was exported is an entry of its own.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let (audit, actor) = arguments.common.audit()?.writable()?;
    let format = match arguments.format {
        Format::Json => ExportFormat::Json,
        Format::Text => ExportFormat::Text,
    };
    let options = ExportOptions { format, withhold: arguments.withhold };
    let document = audit.export(arguments.session, options, actor)?;
    let mut data = Data::new();
    let Some(path) = &arguments.output else {
        return match (arguments.common.json, arguments.format) {
            (true, Format::Text) => data.json(&json!({ "text": document })),
            _ => data.write(&document),
        };
    };
    private_file::create(path, document.as_bytes(), FileMode::Private).map_err(|error| {
        CommandError::writing_file(path.display(), error).hint("choose a file that does not exist yet")
    })?;
    let path = path.display().to_string();
    if arguments.common.json { data.json(&json!({ "file": path })) } else { data.line(&sanitize(&path)) }
}
