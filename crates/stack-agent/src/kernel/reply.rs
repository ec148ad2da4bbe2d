//! What a model answered, and what follows from it.

use serde_json::{Value, json};
use stack_audit::Outcome;

use super::{Command, KernelError, Session, Turn};
use crate::digest::{digest, hex};
use crate::entry::SessionEntry;
use crate::limits::{ATTEMPTS, CUT_IN_A_ROW};
use crate::state::State;

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelReply {
    /// What it said and called, in order.
    pub parts: Vec<ReplyPart>,
    /// Why it ended.
    pub finish: String,
    /// Tokens read and written.
    pub tokens: u64,
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyPart {
    /// Text.
    Text(String),
    /// What the model thought.
    Thinking(String),
    /// A call of a tool, its arguments as the model wrote them.
    Call {
        /// The tool.
        name: String,
        /// A JSON text, if the model wrote one.
        arguments: String,
    },
}

impl ModelReply {
    /// Returns what the effect says.
    pub fn to_json(&self) -> Value {
        let parts: Vec<Value> = self
            .parts
            .iter()
            .map(|part| match part {
                ReplyPart::Text(text) => json!({"text": text}),
                ReplyPart::Thinking(text) => json!({"thinking": text}),
                ReplyPart::Call { name, arguments } => json!({"call": name, "arguments": arguments}),
            })
            .collect();
        json!({"parts": parts, "finish": self.finish, "tokens": self.tokens})
    }

    /// Reads what the effect says.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let parts = value["parts"].as_array()?;
        let parts = parts.iter().map(|part| {
            if let Some(said) = part.get("text") {
                return Some(ReplyPart::Text(text(said)?));
            }
            if let Some(thought) = part.get("thinking") {
                return Some(ReplyPart::Thinking(text(thought)?));
            }
            Some(ReplyPart::Call { name: text(&part["call"])?, arguments: text(&part["arguments"])? })
        });
        let parts = parts.collect::<Option<_>>()?;
        Some(Self { parts, finish: text(&value["finish"])?, tokens: value["tokens"].as_u64()? })
    }

    /// Returns its text.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                ReplyPart::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n")
    }

    /// Returns its calls: tools and arguments.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().filter_map(|part| match part {
            ReplyPart::Call { name, arguments } => Some((name.as_str(), arguments.as_str())),
            _ => None,
        })
    }
}

impl Session {
    /// Goes on from what came of a call of the model.
    pub(super) fn answered(
        &mut self,
        entry: &SessionEntry,
        outcome: Outcome,
        attempt: u32,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        match outcome {
            Outcome::Done => {
                let reply = ModelReply::from_json(&entry.payload);
                let reply = reply.ok_or(KernelError::Malformed { seq: entry.seq, field: "reply" })?;
                self.said(entry.seq, reply, commands);
            }
            Outcome::Failed => self.model_failed(&entry.payload, attempt, commands),
            // The process ended, or a person is about to end the session. Asking again costs nothing but work.
            Outcome::Abandoned | Outcome::Denied | Outcome::Ambiguous => {
                self.call_model(attempt, 0, commands);
            }
        }
        Ok(())
    }

    fn said(&mut self, seq: u64, reply: ModelReply, commands: &mut Vec<Command>) {
        let counters = &mut self.counters;
        counters.tokens = counters.tokens.saturating_add(reply.tokens);
        let (was_cut, was_paused) = (reply.finish == "length", reply.finish == "paused");
        counters.cut_in_a_row = if was_cut { counters.cut_in_a_row + 1 } else { 0 };
        counters.paused_in_a_row = if was_paused { counters.paused_in_a_row + 1 } else { 0 };
        let (cut, paused) = (counters.cut_in_a_row, counters.paused_in_a_row);
        let has_calls = reply.calls().next().is_some();
        self.turns.push(Turn::Reply { seq, reply });
        match () {
            () if self.finished_as("content_filter") => {
                self.end_as(State::Failed, "content_filter", None, commands);
            }
            () if cut >= CUT_IN_A_ROW => self.end_as(State::Failed, "length_limit", None, commands),
            () if has_calls => self.called(seq, commands),
            () if was_cut => {
                self.turns.push(Turn::Notice(WAS_CUT));
                self.step(commands);
            }
            () if was_paused && paused <= PAUSED_IN_A_ROW => self.step(commands),
            () => {
                // The end names what was said, so that a record with another answer is another record.
                let answer = self.answer().unwrap_or_default();
                let digest = hex(&digest("stack/answer/v1", &[answer.as_bytes()]));
                self.end_as(State::Done, "answer", Some(&digest), commands);
            }
        }
    }

    fn finished_as(&self, finish: &str) -> bool {
        matches!(self.turns.last(), Some(Turn::Reply { reply, .. }) if reply.finish == finish)
    }

    fn model_failed(&mut self, failure: &Value, attempt: u32, commands: &mut Vec<Command>) {
        let code = failure["code"].as_str().unwrap_or("unknown").to_owned();
        let wait_ms = match failure["retry"].as_str() {
            Some("same_route") => Some(2000 << (attempt - 1)),
            Some("after") => failure["after_ms"].as_u64().filter(|wait| *wait <= 60_000),
            _ => None,
        };
        match wait_ms {
            Some(wait_ms) if attempt < ATTEMPTS => {
                self.call_model(attempt + 1, wait_ms.min(30_000), commands);
            }
            _ if code == "provider_context_exceeded" => {
                self.end_as(State::Failed, "context_exhausted", None, commands);
            }
            _ => {
                let detail = format!("{code}: {}", failure["message"].as_str().unwrap_or_default());
                self.end_as(State::Failed, "model_failed", Some(&detail), commands);
            }
        }
    }
}

const WAS_CUT: &str = "Your last reply was cut off because it was too long. Go on, and be brief.";
const PAUSED_IN_A_ROW: u32 = 3;
