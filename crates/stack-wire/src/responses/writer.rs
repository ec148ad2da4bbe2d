//! Answers as one response, or as the events of one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stack_chat::{ChatEvent, Delta, Failure, FinishReason, Fragment, PartKind};

use super::echo::Echo;
use super::item::{Progress, content, finish, input, item, prefix};
use crate::answer::arguments;
use crate::{Answer, AnswerWriter, Problem, sse};

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
    /// The tools that take free text.
    pub custom: Vec<String>,
}

/// Writes an answer as one response, or item by item as it grows.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    /// The parts so far, by their number, which is that of their item.
    parts: BTreeMap<u32, (PartKind, String)>,
    /// The number of the next event.
    sequence: u32,
    reason: Option<FinishReason>,
}

impl Reply {
    fn response(&self, status: &str) -> Value {
        self.echo.response(&format!("resp_{}", self.unique), self.created_s, &self.model, status)
    }

    fn item_id(&self, part: u32, kind: &PartKind) -> String {
        format!("{}_{}_{part}", prefix(kind, &self.custom), self.unique)
    }

    fn item(&self, part: u32, kind: &PartKind, text: &str, progress: Progress) -> Value {
        item(&self.item_id(part, kind), kind, text, &self.custom, progress)
    }

    fn is_custom(&self, kind: &PartKind) -> bool {
        matches!(kind, PartKind::ToolCall { name, .. } if self.custom.contains(name))
    }
}

impl Writer {
    /// Prepares an answer, which has one choice in this dialect.
    pub fn new(reply: Reply) -> Self {
        Self { reply, parts: BTreeMap::new(), sequence: 0, reason: None }
    }

    fn begin(&mut self, part: u32, kind: &PartKind, out: &mut String) {
        let begun = self.reply.item(part, kind, "", Progress::Begun);
        self.emit(out, "response.output_item.added", json!({"output_index": part, "item": begun}));
        if !matches!(kind, PartKind::ToolCall { .. }) {
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

    fn end(&mut self, part: u32, out: &mut String) {
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
        if !matches!(kind, PartKind::ToolCall { .. }) {
            self.emit(out, "response.content_part.done", with("part", content(&kind, &text)));
        }
        let complete = self.reply.item(part, &kind, &text, Progress::Complete);
        self.emit(out, "response.output_item.done", json!({"output_index": part, "item": complete}));
    }

    /// Says which item, and which content of it, an event is about.
    fn place(&self, part: u32, kind: &PartKind) -> Value {
        let mut place = json!({"item_id": self.reply.item_id(part, kind), "output_index": part});
        if !matches!(kind, PartKind::ToolCall { .. }) {
            place["content_index"] = 0.into();
        }
        place
    }

    /// Renders the items so far.
    fn output(&self) -> Value {
        self.parts
            .iter()
            .map(|(part, (kind, text))| self.reply.item(*part, kind, text, Progress::Complete))
            .collect()
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
    fn whole(&self, answer: &Answer) -> String {
        let mut response = self.reply.response("completed");
        let choice = answer.choices.first();
        let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
        response["output"] = parts
            .iter()
            .zip(0..)
            .map(|((kind, text), part)| self.reply.item(part, kind, text, Progress::Complete))
            .collect();
        finish(&mut response, choice.and_then(|choice| choice.finish), answer.usage);
        response.to_string()
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::Started { .. } => {
                for name in ["response.created", "response.in_progress"] {
                    let response = self.reply.response("in_progress");
                    self.emit(out, name, json!({"response": response}));
                }
            }
            ChatEvent::PartStarted { part, kind, .. } => self.begin(*part, kind, out),
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::PartEnded { part, .. } => self.end(*part, out),
            ChatEvent::Usage(_) | ChatEvent::Alive => {}
            ChatEvent::Finished { reason, .. } => self.reason = Some(*reason),
            ChatEvent::Done { usage, .. } => {
                let mut response = self.reply.response("completed");
                response["output"] = self.output();
                finish(&mut response, self.reason, *usage);
                let is_whole = response["status"] == "completed";
                let name = if is_whole { "response.completed" } else { "response.incomplete" };
                self.emit(out, name, json!({"response": response}));
            }
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        let problem = Problem::from(failure.clone());
        let mut response = self.reply.response("failed");
        response["output"] = self.output();
        let code = problem.code.unwrap_or("server_error");
        response["error"] = json!({"code": code, "message": problem.failure.message});
        self.emit(out, "response.failed", json!({"response": response}));
    }

    fn alive(&self) -> &'static str {
        sse::PING
    }

    fn media_type(&self) -> &'static str {
        sse::MEDIA_TYPE
    }

    fn cuts_off(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Timings, Usage};

    use super::*;

    fn writer() -> Writer {
        let echo = Echo::of(json!({"temperature": 0.5}).as_object().unwrap());
        let custom = vec!["patch".to_owned()];
        Writer::new(Reply { unique: "1".into(), created_s: 7, model: "m".into(), echo, custom })
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
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls },
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
        out.split_terminator("\n\n").map(frame).collect()
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
