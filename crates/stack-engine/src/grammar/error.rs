//! Why something cannot bind a model.

use std::fmt;

/// A grammar that cannot be used, with the reason: the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// What is wrong with it, and where: a keyword, a line.
    pub problem: String,
}

impl GrammarError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }

    /// Keeps what llguidance says to people: its first lines, without its own state.
    pub(super) fn of(error: impl fmt::Display) -> Self {
        let text = error.to_string();
        // Behind the message it quotes the grammar, which for calls is not one that the caller wrote.
        let is_quote =
            |line: &str| line.trim_start().starts_with(|c: char| c.is_ascii_digit()) && line.contains(" | ");
        let lines = text.lines().take_while(|line| !line.starts_with("<state>") && !is_quote(line));
        let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut problem = lines.join(" ");
        if problem.len() > PROBLEM_BYTES_MAX {
            problem.truncate(problem.floor_char_boundary(PROBLEM_BYTES_MAX));
            problem.push('…');
        }
        Self { problem: in_words_of_callers(problem) }
    }
}

/// Says what helps where the library speaks of options of its own, which nobody here can set.
fn in_words_of_callers(problem: String) -> String {
    let helps = [
        ("coerce_one_of", "`oneOf` whose alternatives cannot be told apart is not supported; use `anyOf`"),
        ("'referencing' feature", "`$ref` must begin with `#/` and point into the same schema"),
    ];
    let help = helps.into_iter().find(|(option, _)| problem.contains(option));
    help.map_or(problem, |(_, help)| help.to_owned())
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for GrammarError {}

/// A caller's own text may be part of the problem, and may be long.
const PROBLEM_BYTES_MAX: usize = 400;
