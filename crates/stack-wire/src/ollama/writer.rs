//! Answers, whole or line by line.

use std::collections::HashMap;

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Delta, Failure, FinishReason, Fragment, PartKind, Timings, Usage};

use super::error::error_object;
use crate::Problem;
use crate::answer::{Answer, AnswerWriter, arguments};
use crate::timestamp::rfc3339;

/// The two shapes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Messages.
    Chat,
    /// Plain text.
    Generate,
}

/// What an answer says about itself, the same in every line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its shape.
    pub shape: Shape,
    /// When it was started, in seconds since 1970.
    pub created_s: u64,
    /// The model that answers.
    pub model: String,
}

/// Writes an answer as one object, or as one line for each piece.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    /// The calls that are not complete, by their part; this dialect sends them whole.
    calls: HashMap<u32, Pending>,
    count: u32,
    reason: Option<FinishReason>,
}

#[derive(Debug)]
struct Pending {
    id: String,
    name: String,
    arguments: String,
}

impl Reply {
    /// Renders the answer to a request that asks nothing: the model is there.
    pub fn loaded(&self) -> String {
        self.nothing("load")
    }

    /// Renders the answer to a request that asks nothing but that the model goes.
    pub fn unloaded(&self) -> String {
        self.nothing("unload")
    }

    fn nothing(&self, reason: &str) -> String {
        let mut line = self.line("", None, Vec::new());
        line["done"] = true.into();
        line["done_reason"] = reason.into();
        line.to_string()
    }

    fn line(&self, text: &str, thinking: Option<&str>, calls: Vec<Value>) -> Value {
        let mut line = json!({"model": self.model, "created_at": rfc3339(self.created_s)});
        let said = match self.shape {
            Shape::Chat => {
                line["message"] = json!({"role": "assistant", "content": text});
                &mut line["message"]
            }
            Shape::Generate => {
                line["response"] = text.into();
                &mut line
            }
        };
        if let Some(thinking) = thinking {
            said["thinking"] = thinking.into();
        }
        if !calls.is_empty() {
            said["tool_calls"] = calls.into();
        }
        line["done"] = false.into();
        line
    }
}

impl Writer {
    /// Prepares an answer, which has one choice in this dialect.
    pub fn new(reply: Reply) -> Self {
        Self { reply, calls: HashMap::new(), count: 0, reason: None }
    }

    fn delta(&mut self, delta: &Delta, out: &mut String) {
        match &delta.fragment {
            Fragment::Text(text) | Fragment::Refusal(text) if !text.is_empty() => {
                push(out, &self.reply.line(text, None, Vec::new()));
            }
            Fragment::Thinking(text) if !text.is_empty() => {
                push(out, &self.reply.line("", Some(text), Vec::new()));
            }
            Fragment::Arguments(text) => {
                if let Some(call) = self.calls.get_mut(&delta.part) {
                    call.arguments.push_str(text);
                }
            }
            Fragment::Text(_) | Fragment::Refusal(_) | Fragment::Thinking(_) => {}
        }
    }
}

impl AnswerWriter for Writer {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.reply.model.clone_from(&answerer.model);
    }

    fn whole(&self, answer: &Answer) -> String {
        let Some(choice) = answer.choices.first() else { return self.reply.loaded() };
        let said = [choice.text(), choice.refusal()].into_iter().flatten().collect::<Vec<_>>().concat();
        let calls = choice.calls().zip(0..).map(|((id, name, text), index)| call(index, id, name, text));
        let mut line = self.reply.line(&said, choice.thinking().as_deref(), calls.collect());
        close(&mut line, choice.finish, answer.usage, answer.timings);
        line.to_string()
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::PartStarted { part, kind: PartKind::ToolCall { id, name }, .. } => {
                let pending = Pending { id: id.clone(), name: name.clone(), arguments: String::new() };
                self.calls.insert(*part, pending);
            }
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::PartEnded { part, .. } => {
                if let Some(Pending { id, name, arguments }) = self.calls.remove(part) {
                    let call = call(self.count, &id, &name, &arguments);
                    self.count += 1;
                    push(out, &self.reply.line("", None, vec![call]));
                }
            }
            ChatEvent::Started { .. }
            | ChatEvent::PartStarted { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::OpaqueAdded { .. }
            | ChatEvent::CitationAdded { .. }
            | ChatEvent::Alive => {}
            ChatEvent::Finished { reason, .. } => self.reason = Some(*reason),
            ChatEvent::Done { usage, timings } => {
                let mut line = self.reply.line("", None, Vec::new());
                close(&mut line, self.reason, *usage, *timings);
                push(out, &line);
            }
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        out.push_str(&error_object(&Problem::from(failure.clone())));
        out.push('\n');
    }

    /// Lines have no comments, so a silent stream stays silent.
    fn alive(&self) -> &'static str {
        ""
    }

    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }
}

fn push(out: &mut String, line: &Value) {
    out.push_str(&line.to_string());
    out.push('\n');
}

/// Renders one call. Arguments that are no object, because the answer ends within them, are none.
fn call(index: u32, id: &str, name: &str, text: &str) -> Value {
    let object = serde_json::from_str(arguments(text)).ok().filter(Value::is_object);
    let object = object.unwrap_or_else(|| json!({}));
    json!({"id": id, "function": {"index": index, "name": name, "arguments": object}})
}

/// Makes a line the last one: why the answer ended, and what it took in tokens and nanoseconds.
fn close(line: &mut Value, reason: Option<FinishReason>, usage: Usage, timings: Timings) {
    let ns = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let word = match reason {
        Some(FinishReason::Length | FinishReason::Paused) => "length",
        Some(FinishReason::Stop | FinishReason::ToolCalls | FinishReason::ContentFilter) | None => "stop",
    };
    let totals = json!({
        "done": true,
        "done_reason": word,
        "total_duration": ns(timings.total()),
        "load_duration": 0,
        "prompt_eval_count": usage.prompt(),
        "prompt_eval_duration": ns(timings.prefill),
        "eval_count": usage.generated(),
        "eval_duration": ns(timings.decode),
    });
    if let (Some(line), Value::Object(totals)) = (line.as_object_mut(), totals) {
        line.extend(totals);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn events() -> Vec<ChatEvent> {
        let start = |part, kind| ChatEvent::PartStarted { choice: 0, part, kind };
        let delta =
            |part, fragment| ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() });
        let end = |part| ChatEvent::PartEnded { choice: 0, part };
        let call = PartKind::ToolCall { id: "c".into(), name: "f".into() };
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
            start(2, call),
            delta(2, Fragment::Arguments("{\"x\"".into())),
            delta(2, Fragment::Arguments(":1}".into())),
            end(2),
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 1, cache_read: 2, answer: 3, reasoning: 1, ..Usage::default() },
                timings: Timings {
                    queue: Duration::from_nanos(1),
                    prefill: Duration::from_nanos(2),
                    decode: Duration::from_nanos(3),
                },
            },
        ]
    }

    fn writer(shape: Shape) -> Writer {
        Writer::new(Reply { shape, created_s: 0, model: "m".into() })
    }

    fn lines(shape: Shape) -> Vec<Value> {
        let (mut writer, mut out) = (writer(shape), String::new());
        events().iter().for_each(|event| writer.event(event, &mut out));
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn whole(shape: Shape) -> Value {
        let mut answer = Answer::new(1);
        events().into_iter().for_each(|event| answer.push(event));
        serde_json::from_str(&writer(shape).whole(&answer)).unwrap()
    }

    #[test]
    fn a_chat_is_a_line_per_piece_and_calls_are_whole() {
        let lines = lines(Shape::Chat);
        let function = json!({"index": 0, "name": "f", "arguments": {"x": 1}});
        let said: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
        assert_eq!(
            said,
            [
                &json!({"role": "assistant", "content": "", "thinking": "hm"}),
                &json!({"role": "assistant", "content": "a"}),
                &json!({"role": "assistant", "content": "é"}),
                &json!({"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": function}]}),
                &json!({"role": "assistant", "content": ""}),
            ]
        );
        let last = lines.last().unwrap();
        assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
        assert_eq!((&last["prompt_eval_count"], &last["eval_count"]), (&json!(3), &json!(4)));
        assert_eq!((&last["total_duration"], &last["eval_duration"]), (&json!(6), &json!(3)));
        assert!(lines[..4].iter().all(|line| line["done"] == false && line.get("done_reason").is_none()));
    }

    #[test]
    fn a_whole_answer_says_the_same_in_one_object() {
        let chat = whole(Shape::Chat);
        assert_eq!(chat["message"]["content"], "aé");
        assert_eq!(chat["message"]["thinking"], "hm");
        assert_eq!(chat["message"]["tool_calls"][0]["function"]["arguments"], json!({"x": 1}));
        assert_eq!((&chat["done"], &chat["created_at"]), (&json!(true), &json!("1970-01-01T00:00:00Z")));
        let generated = whole(Shape::Generate);
        assert_eq!((&generated["response"], generated.get("message")), (&json!("aé"), None));
        let text: String =
            lines(Shape::Generate).iter().map(|line| line["response"].as_str().unwrap()).collect();
        assert_eq!(text, "aé");
    }

    #[test]
    fn a_failure_is_a_line_and_a_model_that_is_there_says_so() {
        let mut out = String::new();
        writer(Shape::Chat).failure(&Failure::invalid("n", "why"), &mut out);
        assert_eq!(out, "{\"error\":\"why\"}\n");
        let reply = Reply { shape: Shape::Generate, created_s: 0, model: "m".into() };
        let loaded: Value = serde_json::from_str(&reply.loaded()).unwrap();
        assert_eq!((&loaded["done"], &loaded["done_reason"]), (&json!(true), &json!("load")));
    }
}
