//! Lets a model write, judges by the rules, and lets it repair.

use std::fmt::Write;

use stack_chat::{ChatModel, ChatRequest, Failure, Message, Prompt, Role, Sampling};

use super::kind::Kind;
use super::source::Sources;
use super::validate::{Report, validate};
use crate::text::answer;

/// A text that a model wrote.
#[derive(Clone, Debug)]
pub struct Manuscript {
    /// The text.
    pub text: String,
    /// What the rules say about it.
    pub report: Report,
    /// How often it was repaired.
    pub repairs: u32,
    /// Citations that lead nowhere, where files had to be cited.
    pub bad_citations: Vec<String>,
}

/// Asks a model for a text, and as long as the rules are broken asks it to repair that, at most [`REPAIRS_MAX`] times. The
/// best text is returned.
///
/// # Errors
///
/// What the model says. A failure during repairs leaves the text that there is.
pub async fn run(
    model: &dyn ChatModel,
    kind: Kind,
    prompt: &str,
    sources: Option<&Sources>,
    options: (Sampling, Option<u32>),
) -> Result<Manuscript, Failure> {
    let (sampling, max_tokens) = options;
    let ask = |messages: Vec<Message>| ChatRequest {
        sampling: sampling.clone(),
        max_tokens,
        ..ChatRequest::new(Prompt::Messages(messages))
    };
    let mut best = judged(kind, answer(model, ask(vec![Message::user(prompt)])).await?, sources, 0);
    for repairs in 1..=REPAIRS_MAX {
        if best.is_sound(sources) {
            break;
        }
        let messages = vec![
            Message::user(prompt),
            Message::new(Role::Assistant, &*best.text),
            Message::user(best.complaint(sources)),
        ];
        let Ok(text) = answer(model, ask(messages)).await else { break };
        let next = judged(kind, text, sources, repairs);
        if !next.text.trim().is_empty() && next.report.score >= best.report.score {
            best = next;
        }
    }
    Ok(best)
}

fn judged(kind: Kind, text: String, sources: Option<&Sources>, repairs: u32) -> Manuscript {
    let report = validate(kind, &text);
    let bad_citations = sources.map(|sources| sources.citations(&text).1).unwrap_or_default();
    Manuscript { text, report, repairs, bad_citations }
}

impl Manuscript {
    /// Whether nothing is left to repair.
    pub fn is_sound(&self, sources: Option<&Sources>) -> bool {
        let cites = sources.is_none_or(|sources| sources.citations(&self.text).0 > 0);
        self.report.violations.is_empty() && self.bad_citations.is_empty() && cites
    }

    fn complaint(&self, sources: Option<&Sources>) -> String {
        let mut text = "Write the whole text again without these faults:\n".to_owned();
        // Writing to a string cannot fail.
        for violation in self.report.violations.iter().take(FAULTS_MAX) {
            let (line, message, demand) = (violation.line, &violation.message, violation.rule.demand());
            let _infallible = writeln!(text, "- line {line}: {message}; {demand}");
        }
        for citation in self.bad_citations.iter().take(FAULTS_MAX) {
            let _infallible = writeln!(text, "- {citation} leads to no line of the sources");
        }
        if sources.is_some_and(|sources| sources.citations(&self.text).0 == 0) {
            text.push_str("- it cites no source as [path:line]\n");
        }
        text
    }
}

/// More repairs seldom help.
pub const REPAIRS_MAX: u32 = 2;
/// A longer list is not followed.
const FAULTS_MAX: usize = 20;

#[cfg(test)]
mod tests;
