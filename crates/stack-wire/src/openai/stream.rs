//! Answers as chunks.

use std::collections::HashMap;

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Delta, Failure, Fragment, Opaque, PartKind};

use super::error::error_object;
use super::logprobs::{chat_token, completion};
use super::reply::{Reply, Shape, finish_word, timings_object, usage_object};
use super::whole::{extra_content, whole};
use crate::{Answer, AnswerWriter, Problem, sse};

/// Writes an answer as one object, or in chunks as it grows.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    include_usage: bool,
    /// Where the next token of each choice begins, in characters.
    offsets: Vec<usize>,
    calls: Calls,
}

/// Which calls have begun: clients join their pieces by a number that counts the calls of a choice alone.
#[derive(Debug, Default)]
struct Calls {
    numbers: HashMap<(u32, u32), u32>,
    counts: HashMap<u32, u32>,
}

impl Writer {
    /// Prepares an answer of `choices` choices. With `include_usage` a stream ends with a chunk that counts tokens.
    pub fn new(reply: Reply, choices: u32, include_usage: bool) -> Self {
        Self { reply, include_usage, offsets: vec![0; choices as usize], calls: Calls::default() }
    }

    /// In a chat the first chunk of a choice says who speaks.
    fn open(&self, out: &mut String) {
        if self.reply.shape == Shape::Completion {
            return;
        }
        for index in 0..self.offsets.len() {
            let delta = json!({"role": "assistant", "content": ""});
            self.chunk(index as u32, Some(delta), "", &Value::Null, &Value::Null, out);
        }
    }

    fn part(&mut self, choice: u32, part: u32, kind: &PartKind, out: &mut String) {
        let PartKind::ToolCall { id, name } = kind else { return };
        let index = self.calls.begin(choice, part);
        let function = json!({"name": name, "arguments": ""});
        let call = json!({"index": index, "id": id, "type": "function", "function": function});
        let delta = json!({"tool_calls": [call]});
        self.chunk(choice, Some(delta), "", &Value::Null, &Value::Null, out);
    }

    /// Calls alone have a place for what their provider wants back.
    fn opaque(&self, choice: u32, part: u32, opaque: &Opaque, out: &mut String) {
        let Some(index) = self.calls.number(choice, part) else { return };
        let call = json!({"index": index, "extra_content": extra_content(opaque)});
        self.chunk(choice, Some(json!({"tool_calls": [call]})), "", &Value::Null, &Value::Null, out);
    }

    fn delta(&mut self, delta: &Delta, out: &mut String) {
        let tokens = &delta.tokens;
        let logprobs = match self.reply.logprobs {
            Some(wanted) if !tokens.is_empty() => match self.reply.shape {
                Shape::Chat => {
                    let content: Value = tokens.iter().map(|token| chat_token(token, wanted)).collect();
                    json!({"content": content, "refusal": null})
                }
                Shape::Completion => completion(tokens, wanted, &mut self.offsets[delta.choice as usize]),
            },
            _ => Value::Null,
        };
        let text = delta.fragment.as_str();
        if text.is_empty() && logprobs.is_null() {
            return;
        }
        let object = match &delta.fragment {
            Fragment::Text(text) => json!({"content": text}),
            Fragment::Thinking(text) => json!({"reasoning_content": text}),
            Fragment::Refusal(text) => json!({"refusal": text}),
            Fragment::Arguments(text) => {
                let index = self.calls.number(delta.choice, delta.part).unwrap_or_default();
                json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
            }
        };
        self.chunk(delta.choice, Some(object), text, &logprobs, &Value::Null, out);
    }

    /// Appends a chunk about one choice: `delta` is what a chat says, `text` what a completion says.
    fn chunk(
        &self,
        index: u32,
        delta: Option<Value>,
        text: &str,
        logprobs: &Value,
        finish: &Value,
        out: &mut String,
    ) {
        let choice = match self.reply.shape {
            Shape::Chat => {
                let delta = delta.unwrap_or_else(|| json!({}));
                json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish})
            }
            Shape::Completion => {
                json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish})
            }
        };
        let mut object = self.reply.head(true);
        object["choices"] = Value::Array(vec![choice]);
        if self.include_usage {
            object["usage"] = Value::Null;
        }
        sse::event(out, &object.to_string());
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
            ChatEvent::Started { .. } => self.open(out),
            ChatEvent::PartStarted { choice, part, kind } => self.part(*choice, *part, kind, out),
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::OpaqueAdded { choice, part, opaque } => self.opaque(*choice, *part, opaque, out),
            ChatEvent::PartEnded { .. }
            | ChatEvent::CitationAdded { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::Alive => {}
            ChatEvent::Finished { choice, reason, .. } => {
                let word = Value::from(finish_word(*reason));
                self.chunk(*choice, None, "", &Value::Null, &word, out);
            }
            ChatEvent::Done { usage, timings } => {
                if self.include_usage {
                    let mut object = self.reply.head(true);
                    object["choices"] = json!([]);
                    object["usage"] = usage_object(*usage);
                    object["timings"] = timings_object(*usage, *timings);
                    sse::event(out, &object.to_string());
                }
                out.push_str(sse::DONE);
            }
        }
    }

    /// The frame of an error has neither a reason to finish nor the mark of success behind it.
    fn failure(&mut self, failure: &Failure, out: &mut String) {
        sse::event(out, &error_object(&Problem::from(failure.clone())));
    }

    fn cuts_off(&self) -> bool {
        true
    }
}

impl Calls {
    fn begin(&mut self, choice: u32, part: u32) -> u32 {
        let count = self.counts.entry(choice).or_default();
        self.numbers.insert((choice, part), *count);
        *count += 1;
        *count - 1
    }

    fn number(&self, choice: u32, part: u32) -> Option<u32> {
        self.numbers.get(&(choice, part)).copied()
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{FinishReason, Logprobs, Timings, TokenLogprob, Usage};

    use super::*;

    /// Encodes an answer "hé" of one choice and returns the data of each frame.
    fn frames(shape: Shape, logprobs: Option<Logprobs>, include_usage: bool) -> Vec<String> {
        let reply = Reply { shape, unique: "1".into(), created_s: 7, model: "m".into(), logprobs };
        let mut writer = Writer::new(reply, 1, include_usage);
        let token =
            |bytes: &[u8]| TokenLogprob { id: 1, bytes: bytes.into(), logprob: -0.5, top: Vec::new() };
        let delta = |text: &str, bytes: &[u8]| {
            let fragment = Fragment::Text(text.into());
            ChatEvent::Delta(Delta { choice: 0, part: 0, fragment, tokens: vec![token(bytes)] })
        };
        let mut out = String::new();
        for event in [
            ChatEvent::Started { prompt_tokens: 3, seed: 1, unused: Vec::new() },
            ChatEvent::PartStarted { choice: 0, part: 0, kind: PartKind::Text },
            delta("h", b"h"),
            delta("", &[0xc3]),
            delta("é", &[0xa9]),
            ChatEvent::PartEnded { choice: 0, part: 0 },
            ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: None },
            ChatEvent::Done { usage: Usage::default(), timings: Timings::default() },
        ] {
            writer.event(&event, &mut out);
        }
        let data = |frame: &str| frame.strip_prefix("data: ").expect("a data frame").to_owned();
        out.split_terminator("\n\n").map(data).collect()
    }

    fn choice(frame: &str) -> Value {
        serde_json::from_str::<Value>(frame).expect("JSON")["choices"][0].take()
    }

    #[test]
    fn a_chat_stream_opens_with_the_role_and_ends_with_the_mark() {
        let frames = frames(Shape::Chat, None, false);
        assert_eq!(
            frames[0],
            concat!(
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","#,
                r#""system_fingerprint":"stack-"#,
                env!("CARGO_PKG_VERSION"),
                r#"","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"#,
                r#""finish_reason":null}]}"#
            )
        );
        assert_eq!(choice(&frames[1])["delta"], json!({"content": "h"}));
        assert_eq!(choice(&frames[2])["delta"], json!({"content": "é"}));
        assert_eq!(
            choice(&frames[3]),
            json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"})
        );
        assert_eq!(frames[4], "[DONE]");
        assert_eq!(frames.len(), 5);
    }

    #[test]
    fn usage_comes_last_and_only_if_asked_for() {
        assert!(frames(Shape::Chat, None, false).iter().all(|frame| !frame.contains("usage")));
        let frames = frames(Shape::Chat, None, true);
        let usage: Value = serde_json::from_str(&frames[frames.len() - 2]).unwrap();
        assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(0)));
        assert!(frames[0].ends_with(r#""usage":null}"#));
    }

    #[test]
    fn log_probabilities_are_sent_even_for_tokens_without_text() {
        let chat = frames(Shape::Chat, Some(Logprobs { top: 0 }), false);
        assert_eq!(choice(&chat[2])["logprobs"]["content"][0]["bytes"], json!([0xc3]));
        let completion = frames(Shape::Completion, Some(Logprobs { top: 0 }), false);
        let offsets: Vec<_> =
            completion[..3].iter().map(|frame| choice(frame)["logprobs"]["text_offset"][0].take()).collect();
        assert_eq!(offsets, [json!(0), json!(1), json!(2)]);
    }

    #[test]
    fn thinking_and_calls_come_in_pieces_that_clients_join() {
        let reply =
            Reply { shape: Shape::Chat, unique: "1".into(), created_s: 7, model: "m".into(), logprobs: None };
        let mut writer = Writer::new(reply, 1, false);
        let mut delta = |event: ChatEvent| {
            let mut out = String::new();
            writer.event(&event, &mut out);
            let data = out.strip_prefix("data: ").and_then(|data| data.strip_suffix("\n\n"));
            data.map_or(Value::Null, |data| choice(data)["delta"].take())
        };
        let start = |part, kind| ChatEvent::PartStarted { choice: 0, part, kind };
        let call = |id: &str| PartKind::ToolCall { id: id.into(), name: "f".into() };
        let more = |part, fragment| ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() });
        let arguments = |part, text: &str| more(part, Fragment::Arguments(text.into()));
        assert_eq!(delta(start(0, PartKind::Thinking)), Value::Null);
        let thought = delta(more(0, Fragment::Thinking("hm".into())));
        assert_eq!(thought, json!({"reasoning_content": "hm"}));
        let named = json!({"name": "f", "arguments": ""});
        assert_eq!(
            delta(start(1, call("a"))),
            json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": named}]})
        );
        assert_eq!(
            delta(start(2, call("b"))),
            json!({"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": named}]})
        );
        let piece = |index, text| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
        assert_eq!(delta(arguments(2, "{")), piece(1, "{"));
        assert_eq!(delta(arguments(1, "{}")), piece(0, "{}"));
    }

    #[test]
    fn an_error_is_an_event_without_a_finish_reason_or_mark() {
        let reply =
            Reply { shape: Shape::Chat, unique: "1".into(), created_s: 7, model: "m".into(), logprobs: None };
        let mut writer = Writer::new(reply, 1, false);
        let mut out = String::new();
        writer.failure(&Failure::internal("secret"), &mut out);
        assert!(out.starts_with("data: {\"error\":{") && out.ends_with("}}\n\n"), "{out}");
        assert!(!out.contains("secret") && !out.contains("finish_reason") && writer.cuts_off());
    }
}
