//! `stack content emit`: the prompt for a text.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use stack_insight::content::{Budget, Sources};

use super::brief::{BriefArguments, Prepared, over_budget};
use crate::error::CommandError;
use crate::models::writer::WriterArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    brief: BriefArguments,
    /// Print where the tokens go, instead of the prompt: as this model counts, or by estimates for a context of 200 000
    #[arg(long)]
    show_budget: bool,
    #[command(flatten)]
    writer: WriterArguments,
    /// Write the prompt here
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "show_budget")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the prompt, or its budget.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let prepared = arguments.brief.prepare()?;
    let counter = if arguments.writer.is_named() { Some(arguments.writer.counter()?) } else { None };
    let budget = prepared.budget(counter.as_ref());
    let margin = budget.margin().map_err(over_budget)?;
    let mut data = Data::new();
    if arguments.json {
        return data.json(&to_json(arguments, &prepared, &budget, margin)?);
    }
    if arguments.show_budget {
        return print(&budget, margin, &mut data);
    }
    match &arguments.output {
        Some(path) => write(path, &prepared.prompt),
        None => data.write_foreign(&prepared.prompt),
    }
}

fn print(budget: &Budget, margin: u32, data: &mut Data) -> Result<(), CommandError> {
    let Budget { context, system, source, few_shot, output } = *budget;
    let rows = [
        ("context", context),
        ("system", system),
        ("source", source),
        ("few-shot", few_shot),
        ("output", output),
        ("margin", margin),
    ];
    rows.iter().try_for_each(|(name, tokens)| data.line(&format!("{name:<9}{tokens:>9} tokens")))
}

fn to_json(
    arguments: &Arguments,
    prepared: &Prepared,
    budget: &Budget,
    margin: u32,
) -> Result<Value, CommandError> {
    let Budget { context, system, source, few_shot, output } = *budget;
    let mut report = json!({
        "type": prepared.brief.kind.code(),
        "words": prepared.brief.words(),
        "sources": prepared.sources.iter().flat_map(Sources::files).collect::<Vec<_>>(),
        "budget": {
            "context": context, "system": system, "source": source, "few_shot": few_shot, "output": output, "margin": margin,
        },
    });
    match &arguments.output {
        Some(path) => {
            write(path, &prepared.prompt)?;
            report["output"] = json!(path.display().to_string());
        }
        None if !arguments.show_budget => report["prompt"] = json!(prepared.prompt),
        None => {}
    }
    Ok(report)
}

/// Writes a file that was asked for.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    fs::write(path, text).map_err(|error| CommandError::writing_file(path.display(), error))
}
