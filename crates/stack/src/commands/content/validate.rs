//! `stack content validate`: a text and the rules of its type.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use stack_insight::content::{Kind as TextKind, Measure, PASS_SCORE, Report, Verdict, judge, validate};

use super::brief::parse_kind;
use crate::error::{CommandError, Kind};
use crate::models::writer::WriterArguments;
use crate::terminal::input;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The text; `-` is stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Type of text: hlo, dlo, bch, blp or pdm, or its long name
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_kind)]
    kind: TextKind,
    /// Let a local model judge voice and accuracy, too; that is advice, and changes neither the score nor the exit code
    #[arg(long)]
    llm_judge: bool,
    #[command(flatten)]
    writer: WriterArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Checks a text, and fails where its score is below the bar.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let text = input::text(&arguments.file)?;
    let report = validate(arguments.kind, &text);
    let verdict = if arguments.llm_judge {
        let writer = arguments.writer.load()?;
        Some(writer.wait(judge(writer.model(), arguments.kind, &text))?)
    } else {
        None
    };
    let mut data = Data::new();
    if arguments.json {
        let mut object = report_json(arguments.kind, &report);
        object["judge"] = verdict.as_ref().map(|verdict| verdict_json(verdict.as_ref())).into();
        data.json(&object)?;
    } else {
        print(arguments.kind, &report, |line| data.line(&sanitize(&line)))?;
        if let Some(verdict) = &verdict {
            data.line(&sanitize(&verdict_line(verdict.as_ref())))?;
        }
    }
    drop(data);
    if report.passes() { Ok(()) } else { Err(below_the_bar(&report)) }
}

/// The error for a text that cannot be used as it is.
pub(super) fn below_the_bar(report: &Report) -> CommandError {
    let message = format!("the text has {} points, less than {PASS_SCORE}", report.score);
    CommandError::new(Kind::BelowBar, message).reason("content")
}

/// Shows a report to people, line by line.
pub(super) fn print(
    kind: TextKind,
    report: &Report,
    mut line: impl FnMut(String) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    line(format!("score {}/100, {} words, {} lines", report.score, report.words, report.lines))?;
    for found in &report.violations {
        let rule = found.rule;
        let severity = rule.severity();
        let points = severity.points();
        line(format!(
            "  line {}: {} {} (−{points}): {}",
            found.line,
            severity.name(),
            rule.name(),
            found.message
        ))?;
    }
    if let Some((found, min, max, unit)) = beyond(kind, report) {
        line(format!("note: {found} {unit}, and a {} has {min} to {max}", kind.name()))?;
    }
    Ok(())
}

/// A length that its type does not have, which costs nothing: a draft may be short.
fn beyond(kind: TextKind, report: &Report) -> Option<(u32, u32, u32, &'static str)> {
    let (measure, min, max) = kind.range()?;
    let (found, unit) = match measure {
        Measure::Lines => (report.lines, "lines"),
        Measure::Words => (report.words, "words"),
    };
    (!(min..=max).contains(&found)).then_some((found, min, max, unit))
}

/// Shows a report to programs.
pub(super) fn report_json(kind: TextKind, report: &Report) -> Value {
    let violations = report.violations.iter().map(|found| {
        let severity = found.rule.severity();
        json!({
            "rule": found.rule.name(),
            "severity": severity.name(),
            "points": severity.points(),
            "line": found.line,
            "message": found.message,
        })
    });
    json!({
        "type": kind.code(),
        "score": report.score,
        "passes": report.passes(),
        "words": report.words,
        "lines": report.lines,
        "length_fits": beyond(kind, report).is_none(),
        "violations": violations.collect::<Vec<_>>(),
    })
}

/// Shows to programs what a model thinks of a text.
pub(super) fn verdict_json(verdict: Option<&Verdict>) -> Value {
    let told = |verdict: &Verdict| json!({"voice": verdict.voice, "accuracy": verdict.accuracy, "remarks": verdict.remarks});
    verdict.map_or(Value::Null, told)
}

/// Shows it to people.
pub(super) fn verdict_line(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict { voice, accuracy, remarks }) => {
            format!("judge (advice): voice {voice}/10, accuracy {accuracy}/10: {remarks}")
        }
        None => "judge (advice): the model gave no verdict".to_owned(),
    }
}
