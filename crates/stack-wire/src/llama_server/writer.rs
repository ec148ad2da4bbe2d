//! Answers to `/completion` and `/infill`.

use serde_json::{Value, json};
use stack_chat::{Answerer, ChatEvent, Failure, FinishReason, Logprobs, TokenLogprob};

use super::error::error_object;
use crate::openai::{timings_object, token_value};
use crate::{Answer, AnswerWriter, Problem, sse};

/// What an answer says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The model that answers.
    pub model: String,
    /// The text of each prompt, where the request gave it as text.
    pub prompts: Vec<Option<String>>,
    /// The log-probabilities that were asked for.
    pub logprobs: Option<Logprobs>,
    /// Whether the tokens are listed.
    pub return_tokens: bool,
    /// How many tokens an answer may have, if that was said.
    pub max_tokens: Option<u32>,
    /// The fields that it has, if not all of them.
    pub fields: Vec<String>,
}

/// Writes an answer as one object, or several in a list, or piece by piece as it grows.
#[derive(Debug)]
pub struct Writer {
    reply: Reply,
    /// What each choice has come to, for the last event about it.
    answer: Answer,
}

impl Writer {
    /// Prepares an answer of so many choices.
    pub fn new(reply: Reply, choices: u32) -> Self {
        Self { reply, answer: Answer::new(choices) }
    }

    /// Renders one complete choice. How many tokens its prompt had is known where there is one prompt.
    fn choice(&self, index: usize, answer: &Answer, streamed: bool) -> Value {
        let choice = &answer.choices[index];
        let text = choice.text().unwrap_or_default();
        let is_alone = answer.choices.len() == 1;
        let stop_type = match (choice.finish, &choice.stop) {
            (Some(FinishReason::Length), _) => "limit",
            (Some(FinishReason::Stop), Some(_)) => "word",
            (Some(_), _) => "eos",
            (None, _) => "none",
        };
        let mut object = json!({
            "index": index,
            "content": if streamed { "" } else { &text },
            "tokens": if streamed || !self.reply.return_tokens { Vec::new() } else { ids(&choice.tokens) },
            "stop": true,
            "model": self.reply.model,
            "tokens_predicted": choice.tokens.len(),
            "generation_settings": {"seed": answer.seed, "n_predict": self.reply.max_tokens.map_or(-1, i64::from)},
            "prompt": self.reply.prompts.get(index).or(self.reply.prompts.first()).cloned().flatten(),
            "has_new_line": text.contains('\n'),
            // The context was full before the answer was as long as it might have been.
            "truncated": choice.finish == Some(FinishReason::Length)
                && self.reply.max_tokens.is_none_or(|most| choice.tokens.len() < most as usize),
            "stop_type": stop_type,
            "stopping_word": choice.stop.as_deref().unwrap_or_default(),
        });
        if is_alone {
            object["tokens_evaluated"] = answer.usage.prompt().into();
            object["tokens_cached"] = answer.usage.total().into();
            object["timings"] = timings_object(answer.usage, answer.timings);
        }
        if let Some(wanted) = self.reply.logprobs.filter(|_| !streamed) {
            object["completion_probabilities"] = probabilities(&choice.tokens, wanted);
        }
        if self.reply.fields.is_empty() { object } else { only(&object, &self.reply.fields) }
    }
}

/// Leaves of an object the named fields, each under the whole of its name.
fn only(object: &Value, names: &[String]) -> Value {
    let field = |name: &String| Some((name.clone(), object.pointer(&format!("/{name}"))?.clone()));
    Value::Object(names.iter().filter_map(field).collect())
}

impl AnswerWriter for Writer {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.reply.model.clone_from(&answerer.model);
    }

    fn whole(&self, answer: &Answer) -> String {
        let mut choices: Vec<_> =
            (0..answer.choices.len()).map(|index| self.choice(index, answer, false)).collect();
        if choices.len() == 1 { choices.remove(0).to_string() } else { Value::Array(choices).to_string() }
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        self.answer.push(event.clone());
        match event {
            ChatEvent::Delta(delta) => {
                let mut object = json!({
                    "index": delta.choice,
                    "content": delta.fragment.as_str(),
                    "tokens": ids(&delta.tokens),
                    "stop": false,
                });
                if let Some(wanted) = self.reply.logprobs {
                    object["completion_probabilities"] = probabilities(&delta.tokens, wanted);
                }
                sse::event(out, &object.to_string());
            }
            ChatEvent::Alive => out.push_str(self.alive()),
            ChatEvent::Done { .. } => {
                for index in 0..self.answer.choices.len() {
                    sse::event(out, &self.choice(index, &self.answer, true).to_string());
                }
            }
            ChatEvent::Started { .. }
            | ChatEvent::PartStarted { .. }
            | ChatEvent::PartEnded { .. }
            | ChatEvent::OpaqueAdded { .. }
            | ChatEvent::CitationAdded { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::Finished { .. } => {}
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        sse::event(out, &error_object(&Problem::from(failure.clone())));
    }
}

fn ids(tokens: &[TokenLogprob]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

fn probabilities(tokens: &[TokenLogprob], wanted: Logprobs) -> Value {
    let plain = |token: &TokenLogprob| {
        let mut object = token_value(token);
        object["id"] = token.id.into();
        object
    };
    let token = |token: &TokenLogprob| {
        let mut object = plain(token);
        object["top_logprobs"] = token.top.iter().take(wanted.top.into()).map(plain).collect();
        object
    };
    tokens.iter().map(token).collect()
}

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, Fragment, PartKind, Timings, Usage};

    use super::*;

    fn events(stop: Option<&str>) -> Vec<ChatEvent> {
        let token = TokenLogprob { id: 9, bytes: b"a\n".to_vec(), logprob: -0.5, top: Vec::new() };
        let fragment = Fragment::Text("a\n".into());
        vec![
            ChatEvent::Started { prompt_tokens: 3, seed: 7, unused: Vec::new() },
            ChatEvent::PartStarted { choice: 0, part: 0, kind: PartKind::Text },
            ChatEvent::Delta(Delta { choice: 0, part: 0, fragment, tokens: vec![token] }),
            ChatEvent::PartEnded { choice: 0, part: 0 },
            ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: stop.map(str::to_owned) },
            ChatEvent::Done {
                usage: Usage { input: 3, answer: 1, ..Usage::default() },
                timings: Timings::default(),
            },
        ]
    }

    fn reply(return_tokens: bool) -> Reply {
        let logprobs = return_tokens.then_some(Logprobs { top: 1 });
        let prompts = vec![Some("p".into())];
        Reply { model: "m".into(), prompts, logprobs, return_tokens, max_tokens: Some(4), fields: Vec::new() }
    }

    fn whole(reply: Reply, stop: Option<&str>) -> Value {
        let mut answer = Answer::new(1);
        events(stop).into_iter().for_each(|event| answer.push(event));
        serde_json::from_str(&Writer::new(reply, 1).whole(&answer)).unwrap()
    }

    #[test]
    fn a_whole_answer_says_how_it_ended() {
        let object = whole(reply(false), Some("END"));
        assert_eq!((&object["content"], &object["prompt"]), (&json!("a\n"), &json!("p")));
        assert_eq!((&object["stop_type"], &object["stopping_word"]), (&json!("word"), &json!("END")));
        assert_eq!((&object["tokens_evaluated"], &object["tokens_predicted"]), (&json!(3), &json!(1)));
        assert_eq!(object["generation_settings"]["seed"], 7);
        assert_eq!((&object["has_new_line"], &object["tokens"]), (&json!(true), &json!([])));
        assert_eq!(
            (&object["generation_settings"]["n_predict"], &object["truncated"]),
            (&json!(4), &json!(false))
        );
        let object = whole(reply(true), None);
        assert_eq!((&object["stop_type"], &object["tokens"]), (&json!("eos"), &json!([9])));
        assert_eq!(object["completion_probabilities"][0]["logprob"], json!(-0.5));
    }

    #[test]
    fn an_answer_has_the_fields_that_were_asked_for() {
        let fields =
            ["content", "generation_settings/n_predict", "prompt", "nothing/here"].map(str::to_owned);
        let object = whole(Reply { fields: fields.into(), ..reply(false) }, None);
        assert_eq!(object, json!({"content": "a\n", "generation_settings/n_predict": 4, "prompt": "p"}));
    }

    #[test]
    fn an_answer_that_ends_with_the_context_is_truncated() {
        for (max_tokens, is_truncated) in [(None, true), (Some(2), true), (Some(1), false)] {
            let mut answer = Answer::new(1);
            for event in events(None) {
                answer.push(match event {
                    ChatEvent::Finished { choice, stop, .. } => {
                        ChatEvent::Finished { choice, reason: FinishReason::Length, stop }
                    }
                    other => other,
                });
            }
            let writer = Writer::new(Reply { max_tokens, ..reply(false) }, 1);
            let object: Value = serde_json::from_str(&writer.whole(&answer)).unwrap();
            assert_eq!((&object["truncated"], &object["stop_type"]), (&json!(is_truncated), &json!("limit")));
        }
    }

    #[test]
    fn a_stream_ends_with_the_facts_and_no_mark() {
        let mut writer = Writer::new(reply(false), 1);
        let mut out = String::new();
        events(None).iter().for_each(|event| writer.event(event, &mut out));
        let frames: Vec<Value> = out
            .split_terminator("\n\n")
            .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
            .collect();
        assert_eq!(frames[0], json!({"index": 0, "content": "a\n", "tokens": [9], "stop": false}));
        assert_eq!((&frames[1]["stop"], &frames[1]["content"]), (&json!(true), &json!("")));
        assert_eq!((&frames[1]["generation_settings"]["seed"], frames.len()), (&json!(7), 2));
    }
}
