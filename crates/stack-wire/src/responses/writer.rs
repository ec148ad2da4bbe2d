//! Answers as one response, or as the events of one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Delta, Failure, FinishReason, Fragment, Opaque, PartKind};

use super::echo::Echo;
use super::error::error_value;
use super::item::{Progress, ReplyOptions, content, finish, input, item, prefix, summary};
use crate::answer::arguments;
use crate::opaque::kept_text;
use crate::{Answer, AnswerWriter, sse};

/// What an answer says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What tells its identifier from all others.
    pub unique: String,
    /// When it was started, in seconds since 1970.
    pub created_s: u64,
    /// The model that answers.
    pub model: String,
    /// What it repeats of its request.
    pub echo: Echo,
    /// What its items depend on.
    pub options: ReplyOptions,
}

/// Writes an answer as one response, or item by item as it grows.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    /// The parts so far, by their number, which is that of their item.
    parts: BTreeMap<u32, (PartKind, String)>,
    /// What the provider wants back with them.
    opaque: BTreeMap<u32, Opaque>,
    /// The part that ended last, until it is known whether the answer ends within it.
    ending: Option<u32>,
    /// The number of the next event.
    sequence: u32,
    reason: Option<FinishReason>,
}

impl Reply {
    pub(super) fn response(&self, status: &str) -> Value {
        self.echo.response(&format!("resp_{}", self.unique), self.created_s, &self.model, status)
    }

    /// Renders a complete answer.
    pub(super) fn complete(&self, answer: &Answer) -> Value {
        let mut response = self.response("completed");
        let choice = answer.choices.first();
        let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
        let reason = choice.and_then(|choice| choice.finish);
        let numbered = parts.iter().enumerate().map(|(part, (kind, text))| {
            let part = part as u32;
            (part, kind, text.as_str(), choice.and_then(|choice| choice.opaque_of(part)))
        });
        response["output"] = self.items(numbered, reason);
        finish(&mut response, reason, answer.usage, answer.timings);
        response
    }

    fn item_id(&self, part: u32, kind: &PartKind) -> String {
        format!("{}_{}_{part}", prefix(kind, &self.options.custom), self.unique)
    }

    fn item(
        &self,
        part: u32,
        kind: &PartKind,
        text: &str,
        opaque: Option<&Opaque>,
        progress: Progress,
    ) -> Value {
        let mut item = item(&self.item_id(part, kind), kind, text, &self.options, progress);
        if let Some(opaque) = opaque.filter(|_| *kind == PartKind::Thinking) {
            item["encrypted_content"] = kept_text(opaque).into();
        }
        item
    }

    /// Renders all items of an answer. How it ended tells how far the last one is.
    fn items<'a>(
        &self,
        parts: impl ExactSizeIterator<Item = (u32, &'a PartKind, &'a str, Option<&'a Opaque>)>,
        reason: Option<FinishReason>,
    ) -> Value {
        let last = parts.len().saturating_sub(1);
        let progress = |place| if place == last { Progress::of_last(reason) } else { Progress::Complete };
        parts
            .enumerate()
            .map(|(place, (part, kind, text, opaque))| self.item(part, kind, text, opaque, progress(place)))
            .collect()
    }

    fn is_summary(&self, kind: &PartKind) -> bool {
        *kind == PartKind::Thinking && self.options.summary
    }

    fn is_custom(&self, kind: &PartKind) -> bool {
        matches!(kind, PartKind::ToolCall { name, .. } if self.options.custom.contains(name))
    }
}

impl Writer {
    /// Prepares an answer, which has one choice in this dialect.
    pub fn new(reply: Reply) -> Self {
        Self {
            reply,
            parts: BTreeMap::new(),
            opaque: BTreeMap::new(),
            ending: None,
            sequence: 0,
            reason: None,
        }
    }

    /// Returns what the answer says about itself.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    fn begin(&mut self, part: u32, kind: &PartKind, out: &mut String) {
        let begun = self.reply.item(part, kind, "", None, Progress::Begun);
        self.emit(out, "response.output_item.added", json!({"output_index": part, "item": begun}));
        if self.reply.is_summary(kind) {
            let mut data = self.place(part, kind);
            data["part"] = summary("");
            self.emit(out, "response.reasoning_summary_part.added", data);
        } else if !matches!(kind, PartKind::ToolCall { .. }) {
            let mut data = self.place(part, kind);
            data["part"] = content(kind, "");
            self.emit(out, "response.content_part.added", data);
        }
        self.parts.insert(part, (kind.clone(), String::new()));
    }

    fn delta(&mut self, delta: &Delta, out: &mut String) {
        let more = delta.fragment.as_str();
        let Some((kind, text)) = self.parts.get_mut(&delta.part).filter(|_| !more.is_empty()) else { return };
        text.push_str(more);
        let kind = kind.clone();
        let name = match &delta.fragment {
            Fragment::Text(_) => "response.output_text.delta",
            Fragment::Thinking(_) if self.reply.options.summary => "response.reasoning_summary_text.delta",
            Fragment::Thinking(_) => "response.reasoning_text.delta",
            Fragment::Refusal(_) => "response.refusal.delta",
            // The text of a custom tool lies inside the object that the model writes, and comes whole at its end.
            Fragment::Arguments(_) if self.reply.is_custom(&kind) => return,
            Fragment::Arguments(_) => "response.function_call_arguments.delta",
        };
        let mut data = self.place(delta.part, &kind);
        data["delta"] = more.into();
        if kind == PartKind::Text {
            data["logprobs"] = json!([]);
        }
        self.emit(out, name, data);
    }

    /// Ends the part that waits for it, now that it is known how far it is.
    fn end(&mut self, progress: Progress, out: &mut String) {
        let Some(part) = self.ending.take() else { return };
        let Some((kind, text)) = self.parts.get(&part).cloned() else { return };
        let place = self.place(part, &kind);
        let with = |name: &str, value: Value| {
            let mut data = place.clone();
            data[name] = value;
            data
        };
        match &kind {
            PartKind::Text => {
                let mut data = with("text", text.as_str().into());
                data["logprobs"] = json!([]);
                self.emit(out, "response.output_text.done", data);
            }
            PartKind::Thinking if self.reply.options.summary => {
                let done = with("text", text.as_str().into());
                self.emit(out, "response.reasoning_summary_text.done", done);
            }
            PartKind::Thinking => {
                self.emit(out, "response.reasoning_text.done", with("text", text.as_str().into()));
            }
            PartKind::Refusal => {
                self.emit(out, "response.refusal.done", with("refusal", text.as_str().into()));
            }
            PartKind::ToolCall { .. } if self.reply.is_custom(&kind) => {
                let input = input(&text);
                self.emit(out, "response.custom_tool_call_input.delta", with("delta", input.as_str().into()));
                self.emit(out, "response.custom_tool_call_input.done", with("input", input.into()));
            }
            PartKind::ToolCall { name, .. } => {
                let mut data = with("arguments", arguments(&text).into());
                data["name"] = name.as_str().into();
                self.emit(out, "response.function_call_arguments.done", data);
            }
        }
        if self.reply.is_summary(&kind) {
            self.emit(out, "response.reasoning_summary_part.done", with("part", summary(&text)));
        } else if !matches!(kind, PartKind::ToolCall { .. }) {
            self.emit(out, "response.content_part.done", with("part", content(&kind, &text)));
        }
        let item = self.reply.item(part, &kind, &text, self.opaque.get(&part), progress);
        self.emit(out, "response.output_item.done", json!({"output_index": part, "item": item}));
    }

    /// Says which item, and which content of it, an event is about.
    fn place(&self, part: u32, kind: &PartKind) -> Value {
        let mut place = json!({"item_id": self.reply.item_id(part, kind), "output_index": part});
        if self.reply.is_summary(kind) {
            place["summary_index"] = 0.into();
        } else if !matches!(kind, PartKind::ToolCall { .. }) {
            place["content_index"] = 0.into();
        }
        place
    }

    /// Renders the items so far, of an answer that ended for this reason.
    fn output(&self, reason: Option<FinishReason>) -> Value {
        let parts =
            self.parts.iter().map(|(part, (kind, text))| (*part, kind, text.as_str(), self.opaque.get(part)));
        self.reply.items(parts, reason)
    }

    /// Appends one event, whose data says its name and its number.
    fn emit(&mut self, out: &mut String, name: &str, data: Value) {
        let mut object = json!({"type": name, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Some(object), Value::Object(data)) = (object.as_object_mut(), data) {
            object.extend(data);
        }
        sse::named_event(out, name, &object.to_string());
    }
}

impl AnswerWriter for Writer {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.reply.model.clone_from(&answerer.model);
    }

    fn whole(&self, answer: &Answer) -> String {
        self.reply.complete(answer).to_string()
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        let progress = match event {
            ChatEvent::Finished { reason, .. } => Progress::of_last(Some(*reason)),
            _ => Progress::Complete,
        };
        self.end(progress, out);
        match event {
            ChatEvent::Started { .. } => {
                for name in ["response.created", "response.in_progress"] {
                    let response = self.reply.response("in_progress");
                    self.emit(out, name, json!({"response": response}));
                }
            }
            ChatEvent::PartStarted { part, kind, .. } => self.begin(*part, kind, out),
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::PartEnded { part, .. } => self.ending = Some(*part),
            ChatEvent::Usage(_) | ChatEvent::CitationAdded { .. } | ChatEvent::Alive => {}
            ChatEvent::OpaqueAdded { part, opaque, .. } => {
                self.opaque.insert(*part, opaque.clone());
            }
            ChatEvent::Finished { reason, .. } => self.reason = Some(*reason),
            ChatEvent::Done { usage, timings } => {
                let mut response = self.reply.response("completed");
                response["output"] = self.output(self.reason);
                finish(&mut response, self.reason, *usage, *timings);
                let is_whole = response["status"] == "completed";
                let name = if is_whole { "response.completed" } else { "response.incomplete" };
                self.emit(out, name, json!({"response": response}));
                out.push_str(sse::DONE);
            }
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        self.end(Progress::Complete, out);
        let mut response = self.reply.response("failed");
        response["output"] = self.output(None);
        response["error"] = error_value(failure);
        self.emit(out, "response.failed", json!({"response": response}));
        out.push_str(sse::DONE);
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Timings, Usage};

    use super::*;

    fn writer() -> Writer {
        let echo = Echo::of(json!({"temperature": 0.5}).as_object().unwrap(), false);
        let custom = vec!["patch".to_owned()];
        let options = ReplyOptions { custom, summary: false };
        Writer::new(Reply { unique: "1".into(), created_s: 7, model: "m".into(), echo, options })
    }

    fn events() -> Vec<ChatEvent> {
        let start = |part, kind| ChatEvent::PartStarted { choice: 0, part, kind };
        let delta =
            |part, fragment| ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() });
        let end = |part| ChatEvent::PartEnded { choice: 0, part };
        let call = |name: &str| PartKind::ToolCall { id: format!("c-{name}"), name: name.into() };
        let arguments = |part, text: &str| delta(part, Fragment::Arguments(text.into()));
        vec![
            ChatEvent::Started { prompt_tokens: 3, seed: 0, unused: Vec::new() },
            start(0, PartKind::Thinking),
            delta(0, Fragment::Thinking("hm".into())),
            end(0),
            start(1, PartKind::Text),
            delta(1, Fragment::Text("a".into())),
            delta(1, Fragment::Text(String::new())),
            delta(1, Fragment::Text("é".into())),
            end(1),
            start(2, call("ls")),
            arguments(2, "{\"x\""),
            arguments(2, ":1}"),
            end(2),
            start(3, call("patch")),
            arguments(3, "{\"input\":\"*"),
            arguments(3, "**\"}"),
            end(3),
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 1, cache_read: 2, answer: 3, reasoning: 1, ..Usage::default() },
                timings: Timings::default(),
            },
        ]
    }

    fn frames(out: &str) -> Vec<Value> {
        let frame = |frame: &str| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], *name);
            data
        };
        // Open Responses demands the mark, OpenAI does not send it, and clients of either skip it.
        let events = out.strip_suffix(sse::DONE).unwrap();
        events.split_terminator("\n\n").map(frame).collect()
    }

    fn stream() -> Vec<Value> {
        let (mut writer, mut out) = (writer(), String::new());
        events().iter().for_each(|event| writer.event(event, &mut out));
        frames(&out)
    }

    #[test]
    fn every_item_is_announced_filled_and_completed() {
        let frames = stream();
        let names: Vec<_> = frames
            .iter()
            .map(|data| data["type"].as_str().unwrap().strip_prefix("response.").unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "created",
                "in_progress",
                "output_item.added",
                "content_part.added",
                "reasoning_text.delta",
                "reasoning_text.done",
                "content_part.done",
                "output_item.done",
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
                "output_item.added",
                "custom_tool_call_input.delta",
                "custom_tool_call_input.done",
                "output_item.done",
                "completed",
            ]
        );
        for (number, data) in frames.iter().enumerate() {
            assert_eq!(data["sequence_number"], number);
        }
        assert_eq!(frames[12]["text"], "aé");
        assert_eq!(frames[18]["arguments"], "{\"x\":1}");
        assert_eq!((&frames[22]["input"], &frames[23]["item"]["input"]), (&json!("***"), &json!("***")));
        assert_eq!(frames[2]["item"]["id"], frames[7]["item"]["id"]);
    }

    #[test]
    fn the_last_event_holds_the_whole_response() {
        let last = stream().pop().unwrap();
        let mut answer = Answer::new(1);
        events().into_iter().for_each(|event| answer.push(event));
        let whole: Value = serde_json::from_str(&writer().whole(&answer)).unwrap();
        assert_eq!(last["response"], whole);
        assert_eq!((&whole["id"], &whole["status"]), (&json!("resp_1"), &json!("completed")));
        let kinds: Vec<_> = whole["output"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
        assert_eq!(kinds, ["reasoning", "message", "function_call", "custom_tool_call"]);
        assert_eq!(
            whole["usage"],
            json!({
                "input_tokens": 3,
                "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
                "output_tokens": 4,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 7,
            })
        );
    }

    #[test]
    fn only_the_item_that_the_limit_cuts_is_incomplete() {
        let mut events = events();
        let last = events.len() - 2;
        events[last] = ChatEvent::Finished { choice: 0, reason: FinishReason::Length, stop: None };
        let (mut writer, mut out) = (writer(), String::new());
        events.iter().for_each(|event| writer.event(event, &mut out));
        let frames = frames(&out);
        let status = |frame: &Value| frame["item"]["status"].clone();
        assert_eq!((status(&frames[19]), status(&frames[23])), (json!("completed"), json!("incomplete")));
        let response = &frames[24]["response"];
        assert_eq!(
            (&frames[24]["type"], &response["output"][3]["status"]),
            (&json!("response.incomplete"), &json!("incomplete"))
        );
        assert_eq!(response["output"][2]["status"], "completed");
    }

    #[test]
    fn who_asks_for_a_summary_gets_the_thinking_as_one() {
        let (mut writer, mut out) = (writer(), String::new());
        writer.reply.options.summary = true;
        events().iter().for_each(|event| writer.event(event, &mut out));
        let frames = frames(&out);
        let kinds: Vec<_> = frames[3..7].iter().map(|frame| frame["type"].as_str().unwrap()).collect();
        let step = |name: &str| format!("response.reasoning_summary_{name}");
        assert_eq!(kinds, ["part.added", "text.delta", "text.done", "part.done"].map(step));
        assert_eq!((&frames[4]["delta"], &frames[4]["summary_index"]), (&json!("hm"), &json!(0)));
        let summary = json!([{"type": "summary_text", "text": "hm"}]);
        assert_eq!((&frames[7]["item"]["summary"], frames[7]["item"].get("content")), (&summary, None));
    }

    #[test]
    fn a_failure_is_the_last_event_and_says_why() {
        let (mut writer, mut out) = (writer(), String::new());
        writer.failure(&Failure::internal("secret"), &mut out);
        let [failed] = frames(&out).try_into().unwrap();
        assert_eq!(
            (&failed["type"], &failed["response"]["status"]),
            (&json!("response.failed"), &json!("failed"))
        );
        assert_eq!(failed["response"]["error"]["code"], "server_error");
        assert!(!out.contains("secret") && !writer.cuts_off());
    }
}
