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
    /// Answers that say again what they were given: a file as it is, code with an edit, JSON in another form, a quote
    Repeat,
    /// Answers that say what nobody has said before: stories
    Fresh,
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
            Self::Repeat => match number % 4 {
                0 => (format!("Repeat this file exactly:\n```\n{}```", code(number)), 400),
                1 => {
                    let task = "Rename the function item_7 to item_seven and print the whole file again";
                    (format!("{task}:\n```\n{}```", code(number)), 400)
                }
                2 => (format!("Copy this JSON, with one object on each line:\n{}", records(number)), 400),
                _ => {
                    let task = "Quote the three sentences about the harbour word for word";
                    (format!("{task}:\n{}", passage(number)), 160)
                }
            },
            Self::Fresh => {
                let [who, place] = [
                    ["a clockmaker", "two sisters", "a lighthouse keeper", "an old fox", "a night baker"]
                        [number % 5],
                    ["a glass desert", "a city of bridges", "a drowned valley"][number / 5 % 3],
                ];
                (format!("Tell story number {number}: how {who} came to live in {place}."), 200)
            }
        }
    }
}

/// Functions that differ in their numbers.
fn code(number: usize) -> String {
    let line = |line: usize| {
        format!("fn item_{line}(value: u32) -> u32 {{ value * {} + {number} }}\n", line * line + 3)
    };
    (0..16).map(line).collect()
}

/// Records as an interface might return them.
fn records(number: usize) -> String {
    let names = ["Ada", "Grace", "Edsger", "Barbara", "Alan"];
    let cities = ["Bern", "Oslo", "Porto"];
    let record = |id: usize| {
        json!({
            "id": number * 100 + id, "name": names[id % 5], "city": cities[id % 3],
            "score": (number * 31 + id * 17) % 100, "tags": [format!("t{}", id % 4), "kept"],
        })
    };
    Value::from((0..10).map(record).collect::<Vec<_>>()).to_string()
}

/// Sentences of which three are about a harbour.
fn passage(number: usize) -> String {
    let sentence = |place: usize| match place % 4 {
        1 => format!("In the harbour of Year {number}, {} boats lay under grey nets. ", place * 3 + 5),
        2 => format!("The council met {} times that winter and decided little. ", place + 2),
        3 => format!("Of the {} mills along the river only one still turned. ", place * 2 + 1),
        _ => format!("On day {} the snow came down from the northern hills. ", place + number),
    };
    (0..12).map(sentence).collect()
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
            Self::Fresh => "fresh",
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
        let repeat: Vec<String> = (0..4).map(|number| Workload::Repeat.question(number, 0).0).collect();
        assert!(repeat[1].contains("item_seven") && repeat[2].contains("\"Ada\""), "{repeat:?}");
        assert_eq!(repeat[3].matches("harbour of").count(), 3);
        let said = [("a".to_owned(), "b".to_owned())];
        let next = Workload::Turns.request(0, &said).1;
        assert_eq!(next["messages"].as_array().unwrap().len(), 4);
    }
}
