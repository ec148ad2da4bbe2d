//! Answers as server-sent events.

use serde_json::{Value, json};
use stack_chat::{ChatEvent, Delta};

use super::error::ErrorObject;
use super::logprobs::{chat_token, completion};
use super::reply::{Reply, Shape, finish_word, timings_object, usage_object};
use crate::sse;

/// Turns the events of an answer into frames, each as soon as its event is there.
#[derive(Debug)]
pub struct Chunks {
    reply: Reply,
    include_usage: bool,
    /// Where the next token of each choice begins, in characters.
    offsets: Vec<usize>,
}

impl Chunks {
    /// Prepares a stream of `choices` choices.
    pub fn new(reply: Reply, choices: u32, include_usage: bool) -> Self {
        Self { reply, include_usage, offsets: vec![0; choices as usize] }
    }

    /// Appends the frames of one event to `out`; after the last event that includes the end mark.
    ///
    /// # Panics
    ///
    /// If the event is about a choice that was not asked for.
    pub fn encode(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::Started { .. } => self.open(out),
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::Finished { choice, reason } => {
                let word = Value::from(finish_word(*reason));
                self.chunk(*choice, "", &Value::Null, &word, out);
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

    /// Appends the frame of an error, after which the stream ends without the mark of success.
    pub fn fail(error: &ErrorObject, out: &mut String) {
        sse::event(out, &error.to_json());
    }

    /// In a chat the first chunk of a choice says who speaks.
    fn open(&mut self, out: &mut String) {
        if self.reply.shape == Shape::Completion {
            return;
        }
        for index in 0..self.offsets.len() {
            let delta = json!({"role": "assistant", "content": ""});
            let choice = json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null});
            self.emit(choice, out);
        }
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
        if !delta.text.is_empty() || !logprobs.is_null() {
            self.chunk(delta.choice, &delta.text, &logprobs, &Value::Null, out);
        }
    }

    fn chunk(&self, index: u32, text: &str, logprobs: &Value, finish: &Value, out: &mut String) {
        let choice = match self.reply.shape {
            Shape::Chat => {
                let delta = if finish.is_null() { json!({"content": text}) } else { json!({}) };
                json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish})
            }
            Shape::Completion => {
                json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish})
            }
        };
        self.emit(choice, out);
    }

    fn emit(&self, choice: Value, out: &mut String) {
        let mut object = self.reply.head(true);
        object["choices"] = Value::Array(vec![choice]);
        if self.include_usage {
            object["usage"] = Value::Null;
        }
        sse::event(out, &object.to_string());
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{FinishReason, Logprobs, Timings, TokenLogprob, Usage};

    use super::*;

    /// Encodes an answer "hé" of one choice and returns the data of each frame.
    fn frames(shape: Shape, logprobs: Option<Logprobs>, include_usage: bool) -> Vec<String> {
        let reply = Reply { shape, unique: "1".into(), created_s: 7, model: "m".into(), logprobs };
        let mut chunks = Chunks::new(reply, 1, include_usage);
        let token =
            |bytes: &[u8]| TokenLogprob { id: 1, bytes: bytes.into(), logprob: -0.5, top: Vec::new() };
        let delta = |text: &str, bytes: &[u8]| {
            ChatEvent::Delta(Delta { choice: 0, text: text.into(), tokens: vec![token(bytes)] })
        };
        let mut out = String::new();
        for event in [
            ChatEvent::Started { prompt_tokens: 3, seed: 1, unused: Vec::new() },
            delta("h", b"h"),
            delta("", &[0xc3]),
            delta("é", &[0xa9]),
            ChatEvent::Finished { choice: 0, reason: FinishReason::Stop },
            ChatEvent::Done { usage: Usage::default(), timings: Timings::default() },
        ] {
            chunks.encode(&event, &mut out);
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
    fn an_error_is_an_event() {
        let mut out = String::new();
        Chunks::fail(&ErrorObject::internal(), &mut out);
        assert!(out.starts_with("data: {\"error\":{") && out.ends_with("}}\n\n"), "{out}");
    }
}
