//! Answers as events about content blocks.

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Delta, Failure, FinishReason, Fragment, PartKind, Usage};

use super::error::error_object;
use super::whole::{block, delta_usage, stop_reason, usage_object, whole};
use crate::opaque::kept_text;
use crate::{Answer, AnswerWriter, Problem, sse};

/// What an answer says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What tells its identifier from all others.
    pub unique: String,
    /// The model that answers.
    pub model: String,
}

/// Writes an answer as one message, or block by block as it grows.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    end: Option<(FinishReason, Option<String>)>,
    /// The part that began last, if it is a thought: others have no place for a signature.
    thinks: Option<u32>,
}

impl Reply {
    /// Starts a message without content.
    pub(super) fn message(&self, usage: Usage) -> Value {
        json!({
            "id": format!("msg_{}", self.unique),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage_object(usage),
        })
    }
}

impl Writer {
    /// Prepares an answer, which has one choice in this dialect.
    pub fn new(reply: Reply) -> Self {
        Self { reply, end: None, thinks: None }
    }
}

impl AnswerWriter for Writer {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.reply.model.clone_from(&answerer.model);
    }

    fn whole(&self, answer: &Answer) -> String {
        whole(&self.reply, answer)
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            // How much of the prompt is cached turns out later, and stands in the last count.
            ChatEvent::Started { prompt_tokens, .. } => {
                let usage = Usage { input: *prompt_tokens, ..Usage::default() };
                let message = self.reply.message(usage);
                emit(out, "message_start", json!({"message": message}));
            }
            ChatEvent::PartStarted { part, kind, .. } => {
                self.thinks = (*kind == PartKind::Thinking).then_some(*part);
                emit(out, "content_block_start", json!({"index": part, "content_block": block(kind, "")}));
            }
            ChatEvent::Delta(delta) => write_delta(delta, out),
            ChatEvent::PartEnded { part, .. } => emit(out, "content_block_stop", json!({"index": part})),
            ChatEvent::OpaqueAdded { part, opaque, .. } if self.thinks == Some(*part) => {
                let delta = json!({"type": "signature_delta", "signature": kept_text(opaque)});
                emit(out, "content_block_delta", json!({"index": part, "delta": delta}));
            }
            ChatEvent::Usage(_) | ChatEvent::OpaqueAdded { .. } | ChatEvent::CitationAdded { .. } => {}
            ChatEvent::Alive => out.push_str(self.alive()),
            ChatEvent::Finished { reason, stop, .. } => self.end = Some((*reason, stop.clone())),
            ChatEvent::Done { usage, .. } => {
                let stop = self.end.as_ref().and_then(|(_, stop)| stop.as_deref());
                let word = self.end.as_ref().map(|(reason, _)| stop_reason(*reason, stop));
                let delta = json!({"stop_reason": word, "stop_sequence": stop});
                emit(out, "message_delta", json!({"delta": delta, "usage": delta_usage(*usage)}));
                emit(out, "message_stop", json!({}));
            }
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        sse::named_event(out, "error", &error_object(&Problem::from(failure.clone()), None));
    }

    fn alive(&self) -> &'static str {
        "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }
}

fn write_delta(delta: &Delta, out: &mut String) {
    if delta.fragment.as_str().is_empty() {
        return;
    }
    let change = match &delta.fragment {
        Fragment::Text(text) | Fragment::Refusal(text) => json!({"type": "text_delta", "text": text}),
        Fragment::Thinking(text) => json!({"type": "thinking_delta", "thinking": text}),
        Fragment::Arguments(text) => json!({"type": "input_json_delta", "partial_json": text}),
    };
    emit(out, "content_block_delta", json!({"index": delta.part, "delta": change}));
}

/// Appends one event, whose data says its name again.
fn emit(out: &mut String, name: &str, data: Value) {
    let mut object = json!({"type": name});
    if let (Some(object), Value::Object(data)) = (object.as_object_mut(), data) {
        object.extend(data);
    }
    sse::named_event(out, name, &object.to_string());
}

#[cfg(test)]
mod tests {
    use stack_chat::Timings;

    use super::*;

    fn writer() -> Writer {
        Writer::new(Reply { unique: "1".into(), model: "m".into() })
    }

    /// Encodes events and returns each frame's name and data.
    fn frames(events: &[ChatEvent]) -> Vec<(String, Value)> {
        let (mut writer, mut out) = (writer(), String::new());
        events.iter().for_each(|event| writer.event(event, &mut out));
        let frame = |frame: &str| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], *name);
            (name.to_owned(), data)
        };
        out.split_terminator("\n\n").map(frame).collect()
    }

    fn start(part: u32, kind: PartKind) -> ChatEvent {
        ChatEvent::PartStarted { choice: 0, part, kind }
    }

    fn delta(part: u32, fragment: Fragment) -> ChatEvent {
        ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() })
    }

    #[test]
    fn every_part_is_a_block_and_the_end_says_why_and_how_much() {
        let call = PartKind::ToolCall { id: "t".into(), name: "f".into() };
        let frames = frames(&[
            ChatEvent::Started { prompt_tokens: 3, seed: 0, unused: Vec::new() },
            start(0, PartKind::Thinking),
            delta(0, Fragment::Thinking("hm".into())),
            delta(0, Fragment::Thinking(String::new())),
            ChatEvent::PartEnded { choice: 0, part: 0 },
            ChatEvent::Alive,
            start(1, call),
            delta(1, Fragment::Arguments("{\"a\":".into())),
            delta(1, Fragment::Arguments("\"é\"}".into())),
            ChatEvent::PartEnded { choice: 0, part: 1 },
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 1, cache_read: 2, answer: 4, ..Usage::default() },
                timings: Timings::default(),
            },
        ]);
        let names: Vec<_> = frames.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "ping",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
        );
        assert_eq!(frames[0].1["message"]["usage"]["input_tokens"], 3);
        let block = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        assert_eq!(frames[5].1, json!({"type": "content_block_start", "index": 1, "content_block": block}));
        assert_eq!(frames[7].1["delta"], json!({"type": "input_json_delta", "partial_json": "\"é\"}"}));
        assert_eq!(frames[9].1["delta"], json!({"stop_reason": "tool_use", "stop_sequence": null}));
        assert_eq!(frames[9].1["usage"]["output_tokens"], 4);
        assert_eq!(frames[9].1["usage"]["cache_read_input_tokens"], 2);
    }

    #[test]
    fn a_failure_is_the_last_event_and_no_message_stops() {
        let mut out = String::new();
        writer().failure(&Failure::internal("secret"), &mut out);
        assert!(out.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""));
        assert!(!out.contains("secret") && !out.contains("message_stop") && !writer().cuts_off());
    }
}
