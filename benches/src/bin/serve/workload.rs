//! What clients ask.

use std::fmt;

use clap::ValueEnum;
use serde_json::{Value, json};

/// What clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One long system prompt, and a short question each
    Shared,
    /// Prompts and answers of very different lengths
    Mixed,
    /// A text that is to be repeated
    Repeat,
    /// Conversations of four turns
    Turns,
}

impl Workload {
    /// How many questions follow each other in one conversation.
    pub(crate) fn turns(self) -> usize {
        if self == Self::Turns { 4 } else { 1 }
    }

    /// Makes the request of a conversation's next turn; `said` holds what was asked and answered before.
    pub(crate) fn request(self, number: usize, said: &[(String, String)]) -> (String, Value) {
        let (question, tokens) = self.question(number, said.len());
        let mut messages = Vec::new();
        if matches!(self, Self::Shared | Self::Turns) {
            messages.push(json!({"role": "system", "content": rules()}));
        }
        for (question, answer) in said {
            messages.push(json!({"role": "user", "content": question}));
            messages.push(json!({"role": "assistant", "content": answer}));
        }
        messages.push(json!({"role": "user", "content": question}));
        let body = json!({
            "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": true,
            "stream_options": {"include_usage": true},
        });
        (question, body)
    }

    fn question(self, number: usize, turn: usize) -> (String, u32) {
        match self {
            Self::Shared => (format!("Question {number}: name {} fruits.", number % 7 + 2), 32),
            Self::Turns => {
                (format!("Turn {turn} of {number}: tell me more about item {}.", turn * 3 + 1), 48)
            }
            Self::Mixed => {
                // Lengths that look random and are the same in each run.
                let words = [5, 40, 200, 12, 700, 80, 25, 300][number % 8];
                let tokens = [32, 128, 64, 96, 48, 160, 24, 80][number % 8];
                let text = (0..words).map(|word| format!("w{} ", (number * 31 + word * 7) % 997));
                (format!("Story {number}: {}", text.collect::<String>()), tokens)
            }
            Self::Repeat => {
                let lines = (0..16).map(|line| {
                    format!(
                        "fn item_{line}(value: u32) -> u32 {{ value * {} + {number} }}\n",
                        line * line + 3
                    )
                });
                (format!("Repeat this file exactly:\n```\n{}```", lines.collect::<String>()), 400)
            }
        }
    }
}

/// A system prompt of some 1,350 tokens.
fn rules() -> String {
    let rules = (0..75).map(|rule| {
        format!("Rule {rule}: always consider item {} before item {}. ", rule * 7 % 97, rule * 13 % 89)
    });
    format!("You are a careful assistant. {}", rules.collect::<String>())
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Mixed => "mixed",
            Self::Repeat => "repeat",
            Self::Turns => "turns",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_the_same_in_each_run_and_share_what_they_should() {
        let body = |number| Workload::Shared.request(number, &[]).1;
        assert_eq!(body(3), body(3));
        assert_eq!(body(3)["messages"][0], body(4)["messages"][0]);
        assert_ne!(body(3)["messages"][1], body(4)["messages"][1]);
        let said = [("a".to_owned(), "b".to_owned())];
        let next = Workload::Turns.request(0, &said).1;
        assert_eq!(next["messages"].as_array().unwrap().len(), 4);
    }
}
