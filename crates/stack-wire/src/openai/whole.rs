//! Answers as one object.

use serde_json::{Value, json};
use stack_chat::Opaque;

use super::logprobs::{chat_token, completion};
use super::reply::{Reply, Shape, finish_word, timings_object, usage_object};
use crate::answer::{Answer, Choice};
use crate::opaque::kept_text;

/// Renders a complete answer.
pub(super) fn whole(reply: &Reply, answer: &Answer) -> String {
    let mut object = reply.head(false);
    object["choices"] = answer
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| choice_object(reply, index, choice))
        .collect();
    object["usage"] = usage_object(answer.usage);
    object["timings"] = timings_object(answer.usage, answer.timings);
    object.to_string()
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
                "message": message(choice),
                "logprobs": logprobs,
                "finish_reason": finish_reason,
            })
        }
        Shape::Completion => {
            let logprobs = reply.logprobs.map(|wanted| completion(tokens, wanted, &mut 0));
            let text = choice.text().unwrap_or_default();
            json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason})
        }
    }
}

/// Renders what a provider wants back with a call, in the place where clients of Gemini look for it.
pub(super) fn extra_content(opaque: &Opaque) -> Value {
    json!({"google": {"thought_signature": kept_text(opaque)}})
}

/// Beside calls or a refusal there may be no text; an answer that says nothing at all is an empty one.
fn message(choice: &Choice) -> Value {
    let calls: Vec<_> = choice
        .numbered_calls()
        .map(|(part, (id, name, arguments))| {
            let function = json!({"name": name, "arguments": arguments});
            let mut call = json!({"id": id, "type": "function", "function": function});
            if let Some(opaque) = choice.opaque_of(part) {
                call["extra_content"] = extra_content(opaque);
            }
            call
        })
        .collect();
    let refusal = choice.refusal();
    let says_more = !calls.is_empty() || refusal.is_some();
    let content = choice.text().or_else(|| (!says_more).then(String::new));
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
    if let Some(thinking) = choice.thinking() {
        message["reasoning_content"] = thinking.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

#[cfg(test)]
mod tests {
    use stack_chat::{
        ChatEvent, Delta, FinishReason, Fragment, Logprobs, PartKind, Timings, TokenLogprob, Usage,
    };

    use super::*;

    fn reply(shape: Shape, logprobs: Option<Logprobs>) -> Reply {
        Reply { shape, unique: "1".into(), created_s: 7, model: "m".into(), logprobs }
    }

    fn render(reply: &Reply) -> Value {
        let token = |text: &str| TokenLogprob { id: 1, bytes: text.into(), logprob: -0.5, top: Vec::new() };
        let delta = |choice, text: &str| {
            let fragment = Fragment::Text(text.into());
            ChatEvent::Delta(Delta { choice, part: 0, fragment, tokens: vec![token(text)] })
        };
        let start = |choice| ChatEvent::PartStarted { choice, part: 0, kind: PartKind::Text };
        let mut answer = Answer::new(2);
        for event in [
            ChatEvent::Started { prompt_tokens: 3, seed: 1, unused: Vec::new() },
            start(1),
            delta(1, "x"),
            start(0),
            delta(0, "a"),
            delta(0, "b"),
            ChatEvent::Finished { choice: 1, reason: FinishReason::Length, stop: None },
            ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 1, cache_read: 2, answer: 2, reasoning: 1, ..Usage::default() },
                timings: Timings::default(),
            },
        ] {
            answer.push(event);
        }
        serde_json::from_str(&whole(reply, &answer)).unwrap()
    }

    #[test]
    fn a_chat_answer_has_a_message_per_choice() {
        let mut got = render(&reply(Shape::Chat, None));
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
                          "prompt_tokens_details": {"cached_tokens": 2},
                          "completion_tokens_details": {"reasoning_tokens": 1}},
                "timings": null,
            })
        );
    }

    #[test]
    fn a_completion_has_a_text_per_choice() {
        let got = render(&reply(Shape::Completion, Some(Logprobs { top: 0 })));
        assert_eq!((&got["id"], &got["object"]), (&json!("cmpl-1"), &json!("text_completion")));
        assert_eq!(got["choices"][0]["text"], json!("ab"));
        assert_eq!(got["choices"][0]["logprobs"]["text_offset"], json!([0, 1]));
        let chat = render(&reply(Shape::Chat, Some(Logprobs { top: 0 })));
        assert_eq!(chat["choices"][0]["logprobs"]["content"][1]["token"], json!("b"));
    }

    #[test]
    fn thinking_calls_and_refusals_stand_beside_the_text() {
        let call = PartKind::ToolCall { id: "c".into(), name: "f".into() };
        let with = |parts: Vec<(PartKind, String)>| message(&Choice { parts, ..Choice::default() });
        let called = with(vec![(PartKind::Thinking, "hm".into()), (call, String::new())]);
        let function = json!({"name": "f", "arguments": "{}"});
        assert_eq!(
            called,
            json!({"role": "assistant", "content": null, "refusal": null, "reasoning_content": "hm",
                   "tool_calls": [{"id": "c", "type": "function", "function": function}]})
        );
        let refused = with(vec![(PartKind::Refusal, "no".into())]);
        assert_eq!(refused, json!({"role": "assistant", "content": null, "refusal": "no"}));
        assert_eq!(with(Vec::new())["content"], "");
    }
}
