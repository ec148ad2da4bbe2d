//! How an answer is shown.

use serde_json::{Value, json};
use stack_insight::oracle::{Recommendation, Suggestion};

use super::Format;
use crate::error::CommandError;
use crate::terminal::output::Data;

/// Shows an answer to people, as plain lines or as Markdown.
pub(super) fn print_advice(
    advice: &Recommendation,
    page: Option<&str>,
    format: Format,
    data: &mut Data,
) -> Result<(), CommandError> {
    let mut rows = vec![("Class", advice.class.to_owned())];
    if let Some(algorithm) = advice.algorithm {
        rows.push(("Algorithm", algorithm.to_owned()));
    }
    if let Some(size) = advice.size {
        rows.push(("Data size", size.to_string()));
    }
    rows.push(("Use", told(&advice.primary)));
    if !advice.primary.about.is_empty() {
        rows.push(("", advice.primary.about.clone()));
    }
    rows.extend(advice.supporting.iter().map(|found| ("With", told(found))));
    rows.extend(advice.alternatives.iter().map(|found| ("Or", told(found))));
    rows.push(("Hardware", advice.backend.name()));
    rows.push(("Machines", if advice.distributed { "several" } else { "one" }.to_owned()));
    rows.push(("Try", advice.example.clone()));
    rows.extend(page.map(|page| ("Read", page.to_owned())));
    rows.extend(advice.related.iter().map(|question| ("Related", (*question).to_owned())));
    for (name, text) in rows {
        data.line(&match (format, name) {
            (Format::Markdown, "") => format!("  {text}"),
            (Format::Markdown, "Try") => format!("- **Try**: `{text}`"),
            (Format::Markdown, _) => format!("- **{name}**: {text}"),
            (_, "") => format!("{:11}{text}", ""),
            _ => format!("{:11}{text}", format!("{name}:")),
        })?;
    }
    Ok(())
}

/// `stack serve (engine), confidence 0.85`.
fn told(found: &Suggestion) -> String {
    let layer = match found.layer {
        "external" => "external, not part of the stack",
        layer => layer,
    };
    let module = found.module.map(|module| format!(", {module}")).unwrap_or_default();
    format!("{} ({layer}){module}, confidence {:.2}", found.name, found.confidence)
}

/// Shows an answer to programs.
pub(super) fn advice_json(advice: &Recommendation, page: Option<&str>) -> Value {
    let all = |found: &[Suggestion]| found.iter().map(suggestion_json).collect::<Vec<_>>();
    json!({
        "class": advice.class,
        "algorithm": advice.algorithm,
        "data_size": advice.size,
        "primary": suggestion_json(&advice.primary),
        "alternatives": all(&advice.alternatives),
        "supporting": all(&advice.supporting),
        "backend": advice.backend.name(),
        "distributed": advice.distributed,
        "example": advice.example,
        "page": page,
        "related": advice.related,
    })
}

fn suggestion_json(found: &Suggestion) -> Value {
    json!({
        "name": found.name,
        "about": found.about,
        "layer": found.layer,
        "external": found.layer == "external",
        "confidence": found.confidence,
        "module": found.module,
    })
}
