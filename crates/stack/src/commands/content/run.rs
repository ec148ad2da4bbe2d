//! `stack content run`: a local model writes, and the rules judge.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;
use stack_insight::content::{Manuscript, Report, judge, run as write_text};

use super::brief::{BriefArguments, over_budget};
use super::emit::write;
use super::validate::{below_the_bar, print, report_json, verdict_json, verdict_line};
use crate::error::CommandError;
use crate::models::writer::WriterArguments;
use crate::options::SamplingArguments;
use crate::terminal::output::{Data, stderr};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    brief: BriefArguments,
    #[command(flatten)]
    writer: WriterArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Let the model judge its voice and accuracy, too; that is advice
    #[arg(long)]
    llm_judge: bool,
    /// Write the text here
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Print one JSON object with the text and what the rules say
    #[arg(long)]
    json: bool,
}

/// Writes a text. It is printed or written even if it is below the bar, and then the command fails.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let prepared = arguments.brief.prepare()?;
    // What does not fit should not have to wait for the weights.
    let budget = prepared.budget(Some(&arguments.writer.counter()?));
    budget.margin().map_err(over_budget)?;
    let writer = arguments.writer.load()?;
    let kind = prepared.brief.kind;
    let tokens_max = arguments.sampling.max_tokens().unwrap_or(budget.output);
    let options = (arguments.sampling.sampling(), Some(tokens_max));
    let sources = prepared.sources.as_ref();
    let draft = writer.wait(write_text(writer.model(), kind, &prepared.prompt, sources, options))?;
    let verdict =
        if arguments.llm_judge { Some(writer.wait(judge(writer.model(), kind, &draft.text))?) } else { None };
    let Manuscript { text, report, repairs, bad_citations } = &draft;
    if let Some(path) = &arguments.output {
        write(path, text)?;
    }
    let mut data = Data::new();
    if arguments.json {
        let mut object = json!({"model": writer.id(), "repairs": repairs, "bad_citations": bad_citations});
        object["report"] = report_json(kind, report);
        object["judge"] = verdict.as_ref().map(|verdict| verdict_json(verdict.as_ref())).into();
        match &arguments.output {
            Some(path) => object["output"] = json!(path.display().to_string()),
            None => object["text"] = json!(text),
        }
        data.json(&object)?;
    } else {
        if arguments.output.is_none() {
            data.write_foreign(text)?;
            data.line("")?;
        }
        let mut notes = Vec::new();
        print(kind, report, |line| {
            notes.push(line);
            Ok(())
        })?;
        notes.iter().for_each(stderr);
        bad_citations
            .iter()
            .for_each(|citation| stderr(format!("note: {citation} leads to no line of the sources")));
        verdict.as_ref().map(|verdict| verdict_line(verdict.as_ref())).iter().for_each(stderr);
    }
    drop(data);
    if report.passes() { Ok(()) } else { Err(failed(report, *repairs)) }
}

fn failed(report: &Report, repairs: u32) -> CommandError {
    below_the_bar(report).hint(match repairs {
        0 => "a larger model follows the rules better".to_owned(),
        _ => format!("after {repairs} repairs; a larger model follows the rules better"),
    })
}
