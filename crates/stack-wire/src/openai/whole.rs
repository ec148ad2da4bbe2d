//! Answers as one object.

use serde_json::{Value, json};
use stack_chat::{ChatEvent, FinishReason, TokenLogprob};

use super::logprobs::{chat_token, completion};
use super::reply::{Reply, Shape, finish_word, timings_object, usage_object};

/// Collects the events of an answer until it can be rendered as one object.
#[derive(Debug)]
pub struct Whole {
    reply: Reply,
    choices: Vec<Choice>,
    totals: Option<(Value, Value)>,
}

#[derive(Clone, Debug, Default)]
struct Choice {
    text: String,
    tokens: Vec<TokenLogprob>,
    finish: Option<FinishReason>,
}

impl Whole {
    /// Waits for an answer of `choices` choices.
    pub fn new(reply: Reply, choices: u32) -> Self {
        Self { reply, choices: vec![Choice::default(); choices as usize], totals: None }
    }

    /// Takes in one event.
    ///
    /// # Panics
    ///
    /// If the event is about a choice that was not asked for.
    pub fn push(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Started { .. } => {}
            ChatEvent::Delta(delta) => {
                let choice = &mut self.choices[delta.choice as usize];
                choice.text.push_str(&delta.text);
                if self.reply.logprobs.is_some() {
                    choice.tokens.extend(delta.tokens);
                }
            }
            ChatEvent::Finished { choice, reason } => self.choices[choice as usize].finish = Some(reason),
            ChatEvent::Done { usage, timings } => {
                self.totals = Some((usage_object(usage), timings_object(usage, timings)));
            }
        }
    }

    /// Renders the answer, or returns `None` if its last event has not come.
    pub fn finish(self) -> Option<String> {
        let (usage, timings) = self.totals?;
        let mut object = self.reply.head(false);
        object["choices"] = self
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| choice_object(&self.reply, index, choice))
            .collect();
        object["usage"] = usage;
        object["timings"] = timings;
        Some(object.to_string())
    }
}

fn choice_object(reply: &Reply, index: usize, choice: &Choice) -> Value {
    let finish_reason = choice.finish.map(finish_word);
    let tokens = &choice.tokens;
    match reply.shape {
        Shape::Chat => {
            let logprobs = reply.logprobs.map(|wanted| {
                let content: Value = tokens.iter().map(|token| chat_token(token, wanted)).collect();
                json!({"content": content, "refusal": null})
            });
            json!({
                "index": index,
                "message": {"role": "assistant", "content": choice.text, "refusal": null},
                "logprobs": logprobs,
                "finish_reason": finish_reason,
            })
        }
        Shape::Completion => {
            let logprobs = reply.logprobs.map(|wanted| completion(tokens, wanted, &mut 0));
            json!({"index": index, "text": choice.text, "logprobs": logprobs, "finish_reason": finish_reason})
        }
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, Logprobs, Timings, Usage};

    use super::*;

    fn reply(shape: Shape, logprobs: Option<Logprobs>) -> Reply {
        Reply { shape, unique: "1".into(), created_s: 7, model: "m".into(), logprobs }
    }

    fn render(reply: Reply) -> Value {
        let token = |text: &str| TokenLogprob { id: 1, bytes: text.into(), logprob: -0.5, top: Vec::new() };
        let delta = |choice, text: &str| Delta { choice, text: text.into(), tokens: vec![token(text)] };
        let mut whole = Whole::new(reply, 2);
        for event in [
            ChatEvent::Started { prompt_tokens: 3, seed: 1, unused: Vec::new() },
            ChatEvent::Delta(delta(1, "x")),
            ChatEvent::Delta(delta(0, "a")),
            ChatEvent::Delta(delta(0, "b")),
            ChatEvent::Finished { choice: 1, reason: FinishReason::Length },
            ChatEvent::Finished { choice: 0, reason: FinishReason::Stop },
            ChatEvent::Done {
                usage: Usage { prompt_tokens: 3, cached_tokens: 2, generated_tokens: 3 },
                timings: Timings::default(),
            },
        ] {
            whole.push(event);
        }
        serde_json::from_str(&whole.finish().unwrap()).unwrap()
    }

    #[test]
    fn a_chat_answer_has_a_message_per_choice() {
        let mut got = render(reply(Shape::Chat, None));
        assert_eq!(got["timings"].take()["predicted_n"], json!(3));
        assert_eq!(
            got,
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m",
                "system_fingerprint": concat!("stack-", env!("CARGO_PKG_VERSION")),
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "ab", "refusal": null},
                     "logprobs": null, "finish_reason": "stop"},
                    {"index": 1, "message": {"role": "assistant", "content": "x", "refusal": null},
                     "logprobs": null, "finish_reason": "length"},
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6,
                          "prompt_tokens_details": {"cached_tokens": 2}},
                "timings": null,
            })
        );
    }

    #[test]
    fn a_completion_has_a_text_per_choice() {
        let got = render(reply(Shape::Completion, Some(Logprobs { top: 0 })));
        assert_eq!((&got["id"], &got["object"]), (&json!("cmpl-1"), &json!("text_completion")));
        assert_eq!(got["choices"][0]["text"], json!("ab"));
        assert_eq!(got["choices"][0]["logprobs"]["text_offset"], json!([0, 1]));
        let chat = render(reply(Shape::Chat, Some(Logprobs { top: 0 })));
        assert_eq!(chat["choices"][0]["logprobs"]["content"][1]["token"], json!("b"));
    }

    #[test]
    fn an_answer_that_did_not_end_is_not_rendered() {
        assert_eq!(Whole::new(reply(Shape::Chat, None), 1).finish(), None);
    }
}
