//! Answers, whole or in events.

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Delta, Failure, FinishReason, Fragment, PartKind, Timings, Usage};

use super::error::error_value;
use super::lineage::{Lineage, usage_value};
use crate::answer::Choice;
use crate::{Answer, AnswerWriter, Ignored, Problem, sse};

/// Writes an answer as one object, or as events about its parts.
#[derive(Debug)]
pub struct Writer {
    lineage: Lineage,
    ignored: Ignored,
    finish: Option<FinishReason>,
    usage: Usage,
}

impl Writer {
    /// Prepares an answer, which has one choice in this dialect. What of the request had no effect so far is in `ignored`.
    pub fn new(lineage: Lineage, ignored: Ignored) -> Self {
        Self { lineage, ignored, finish: None, usage: Usage::default() }
    }
}

impl AnswerWriter for Writer {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.lineage.answered_by(answerer);
    }

    fn whole(&self, answer: &Answer) -> String {
        let Answer { usage, timings, .. } = *answer;
        let lineage = &self.lineage;
        let mut ignored = self.ignored.clone();
        answer.unused.iter().for_each(|unused| ignored.note_unused(unused));
        let choice = answer.choices.first().cloned().unwrap_or_default();
        let mut object = json!({
            "id": lineage.response_id(),
            "role": "assistant",
            "content": choice.text().unwrap_or_default(),
            "model": lineage.model,
            "provider": lineage.provider(),
            "finish_reason": choice.finish.map(FinishReason::name),
            "usage": usage_value(usage),
            "lineage": lineage.value(choice.finish, usage, timings, &ignored),
            "timestamp": lineage.timestamp(),
        });
        said_beside(&choice, &mut object);
        object.to_string()
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::Started { prompt_tokens, unused, .. } => {
                unused.iter().for_each(|unused| self.ignored.note_unused(unused));
                let object = json!({
                    "id": self.lineage.response_id(),
                    "provider": self.lineage.provider(),
                    "model": self.lineage.model,
                    "prompt_tokens": prompt_tokens,
                });
                emit(out, "started", &object);
            }
            ChatEvent::PartStarted { part, kind, .. } => emit(out, "part_start", &part_start(*part, kind)),
            ChatEvent::Delta(delta) => write_delta(delta, out),
            ChatEvent::PartEnded { part, .. } => emit(out, "part_end", &json!({"index": part})),
            ChatEvent::OpaqueAdded { .. } | ChatEvent::CitationAdded { .. } => {}
            ChatEvent::Usage(usage) => {
                self.usage = *usage;
                emit(out, "usage", &usage_value(*usage));
            }
            ChatEvent::Alive => out.push_str(self.alive()),
            ChatEvent::Finished { reason, .. } => self.finish = Some(*reason),
            ChatEvent::Done { usage, timings } => {
                let object = json!({
                    "finish_reason": self.finish.map(FinishReason::name),
                    "usage": usage_value(*usage),
                    "lineage": self.lineage.value(self.finish, *usage, *timings, &self.ignored),
                });
                emit(out, "finish", &object);
            }
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        let error = error_value(&Problem::from(failure.clone()), Some(&self.lineage.request_id));
        let lineage = self.lineage.value(None, self.usage, Timings::default(), &self.ignored);
        emit(out, "error", &json!({"error": error, "lineage": lineage}));
    }
}

/// Adds calls, thinking and a refusal to an answer that has some.
fn said_beside(choice: &Choice, object: &mut Value) {
    let calls: Vec<_> = choice
        .calls()
        .map(|(id, name, arguments)| {
            // Arguments that are no JSON, because the answer ends within them, stay text.
            let parsed = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
            json!({"id": id, "name": name, "arguments": parsed})
        })
        .collect();
    if !calls.is_empty() {
        object["tool_calls"] = calls.into();
    }
    if let Some(thinking) = choice.thinking() {
        object["thinking"] = json!([{"thinking": thinking}]);
    }
    if let Some(refusal) = choice.refusal() {
        object["refusal"] = refusal.into();
    }
}

fn part_start(index: u32, kind: &PartKind) -> Value {
    match kind {
        PartKind::Text => json!({"index": index, "kind": "text"}),
        PartKind::Thinking => json!({"index": index, "kind": "thinking"}),
        PartKind::Refusal => json!({"index": index, "kind": "refusal"}),
        PartKind::ToolCall { id, name } => {
            json!({"index": index, "kind": "tool_call", "id": id, "name": name})
        }
    }
}

fn write_delta(delta: &Delta, out: &mut String) {
    let text = delta.fragment.as_str();
    if text.is_empty() {
        return;
    }
    let name = match delta.fragment {
        Fragment::Text(_) => "text",
        Fragment::Thinking(_) => "thinking",
        Fragment::Arguments(_) => "tool_arguments",
        Fragment::Refusal(_) => "refusal",
    };
    emit(out, name, &json!({"index": delta.part, "text": text}));
}

fn emit(out: &mut String, name: &str, object: &Value) {
    sse::named_event(out, name, &object.to_string());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stack_chat::{FailureKind, Unused};

    use super::*;

    fn writer() -> Writer {
        let lineage = Lineage {
            request_id: "r".into(),
            unique: "1".into(),
            created_s: 0,
            requested: Some("local".into()),
            model: "m".into(),
            provider: None,
            class: stack_chat::Class::InProcess,
            basis: None,
            digest: None,
            lockdown: None,
            record: stack_chat::LineageRecord::default(),
        };
        let mut ignored = Ignored::default();
        ignored.note("user");
        Writer::new(lineage, ignored)
    }

    fn events() -> Vec<ChatEvent> {
        let call = PartKind::ToolCall { id: "c".into(), name: "f".into() };
        let start = |part, kind| ChatEvent::PartStarted { choice: 0, part, kind };
        let delta =
            |part, fragment| ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() });
        let end = |part| ChatEvent::PartEnded { choice: 0, part };
        vec![
            ChatEvent::Started { prompt_tokens: 3, seed: 7, unused: vec![Unused::Tools] },
            start(0, PartKind::Thinking),
            delta(0, Fragment::Thinking("hm".into())),
            end(0),
            start(1, PartKind::Text),
            delta(1, Fragment::Text("a".into())),
            end(1),
            start(2, call),
            delta(2, Fragment::Arguments("{\"x\":1}".into())),
            end(2),
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 3, answer: 5, reasoning: 1, ..Usage::default() },
                timings: Timings { decode: Duration::from_millis(5), ..Timings::default() },
            },
        ]
    }

    #[test]
    fn a_whole_answer_holds_all_parts_and_its_lineage() {
        let mut answer = Answer::new(1);
        events().into_iter().for_each(|event| answer.push(event));
        let object: Value = serde_json::from_str(&writer().whole(&answer)).unwrap();
        assert_eq!((&object["content"], &object["thinking"][0]["thinking"]), (&json!("a"), &json!("hm")));
        assert_eq!(object["tool_calls"], json!([{"id": "c", "name": "f", "arguments": {"x": 1}}]));
        assert_eq!((&object["usage"]["output"], &object["usage"]["total"]), (&json!(6), &json!(9)));
        let lineage = &object["lineage"];
        assert_eq!(
            (&lineage["finish_reason"], &lineage["ms"]["decode"]),
            (&json!("tool_calls"), &json!(5.0))
        );
        assert_eq!(lineage["changes"], json!(["without effect: tools", "without effect: user"]));
        assert_eq!(object["timestamp"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_stream_has_named_events_and_ends_with_finish() {
        let (mut writer, mut out) = (writer(), String::new());
        events().iter().for_each(|event| writer.event(event, &mut out));
        let names: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        let want = [
            "started",
            "part_start",
            "thinking",
            "part_end",
            "part_start",
            "text",
            "part_end",
            "part_start",
            "tool_arguments",
            "part_end",
            "finish",
        ];
        assert_eq!(names, want);
        assert!(out.ends_with("}}\n\n") && out.contains(r#""lineage":{"#));
    }

    #[test]
    fn a_failed_stream_ends_with_an_error() {
        let mut out = String::new();
        writer().failure(&Failure::new(FailureKind::Draining, "bye"), &mut out);
        assert!(out.starts_with("event: error\ndata: {\"error\":{\"code\":\"gateway_draining\""), "{out}");
    }
}
