//! The facts as people read them.

use stack_chat::Basis;

use super::facts::{Facts, Token, Vocabulary};
use crate::error::CommandError;
use crate::models::memory::Memory;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::units;

/// Prints the facts, a line for each. What the file says is shown without what terminals obey.
pub(super) fn print(facts: &Facts, data: &mut Data) -> Result<(), CommandError> {
    let mut row =
        |label: &str, value: &str| data.line(&format!("{label:<13} {}", sanitize(&value.replace('\n', " "))));
    let absent = "not in the file";
    row("model", &facts.id)?;
    if let Some(name) = &facts.name {
        row("name", name)?;
    }
    row("architecture", facts.architecture.as_deref().unwrap_or(absent))?;
    let runs = match &facts.problem {
        None => "yes".to_owned(),
        Some(problem) => format!("no: {problem}"),
    };
    row("runs", &runs)?;
    let (count, size) = (units::count(facts.parameters), units::bytes(facts.size_bytes));
    row("weights", &format!("{count} in {size}"))?;
    let types = facts
        .types
        .iter()
        .map(|counted| format!("{} × {} ({})", counted.tensors, counted.name, units::bytes(counted.bytes)));
    row("types", &types.collect::<Vec<_>>().join(", "))?;
    for (name, numbers) in &facts.shape {
        row(&name.replace('_', " "), &list(numbers))?;
    }
    row("tokenizer", &facts.tokenizer.as_ref().map_or_else(|| absent.to_owned(), tokenizer))?;
    if let Some(Vocabulary { bos, eos, end_of_generation, .. }) = &facts.tokenizer {
        let role = |role: &Option<Token>| role.as_ref().map_or_else(|| "none".to_owned(), token);
        row("bos, eos", &format!("{}, {}", role(bos), role(eos)))?;
        row("ends with", &end_of_generation.iter().map(token).collect::<Vec<_>>().join(", "))?;
    }
    row("template", &facts.template.as_deref().map_or_else(|| absent.to_owned(), template))?;
    if let Some(basis) = facts.basis {
        row("basis", &self::basis(basis, &facts.signers))?;
    }
    if let Some(Memory { weights_bytes, cache_bytes_per_token, context, total_bytes }) = facts.memory {
        let [weights, per_token, total] =
            [weights_bytes, cache_bytes_per_token, total_bytes].map(units::bytes);
        row(
            "memory",
            &format!(
                "{weights} for weights, {per_token} per token of context; {total} with {context} tokens"
            ),
        )?;
    }
    for warning in &facts.warnings {
        row("warning", warning)?;
    }
    Ok(())
}

/// Shows sizes that differ between layers by their range.
fn list(numbers: &[i64]) -> String {
    match (numbers.iter().min(), numbers.iter().max()) {
        (Some(min), Some(max)) if min < max => format!("{min} to {max}, by layer"),
        (Some(only), _) => only.to_string(),
        _ => String::new(),
    }
}

/// Says why the model's bytes would be taken to be the right ones.
fn basis(basis: Basis, signers: &[String]) -> String {
    match basis {
        Basis::BuiltIn => "built in: part of this program".to_owned(),
        Basis::Signed => format!("signed by {}", signers.join(", ")),
        Basis::Pinned => "pinned: as recorded earlier".to_owned(),
        Basis::FirstSeen => "first seen: neither signed nor recorded".to_owned(),
    }
}

fn tokenizer(vocabulary: &Vocabulary) -> String {
    let pre = vocabulary.pre.as_ref().map(|pre| format!(" ({pre})")).unwrap_or_default();
    format!("{}{pre}, {} tokens", vocabulary.kind, vocabulary.tokens)
}

fn token(token: &Token) -> String {
    format!("{} {:?}", token.id, token.text)
}

/// Shows the beginning of a template.
fn template(template: &str) -> String {
    let lines = template.lines().count();
    let start: String = template.chars().take(TEMPLATE_CHARS).collect();
    let more = if start.len() < template.len() { "…" } else { "" };
    format!("{lines} lines, {} bytes (--template prints it): {start}{more}", template.len())
}

/// As much of a template as fits a line or two.
const TEMPLATE_CHARS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_by_layer_are_a_range() {
        assert_eq!(list(&[8]), "8");
        assert_eq!(list(&[4, 0, 8]), "0 to 8, by layer");
    }

    #[test]
    fn long_templates_are_cut() {
        let shown = template(&"é".repeat(500));
        assert!(shown.starts_with("1 lines, 1000 bytes") && shown.ends_with("é…"));
        assert!(template("short").ends_with(": short"));
    }
}
