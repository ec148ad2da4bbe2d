//! `POST /v1/completions`: the request.

use stack_chat::{ChatRequest, EmbedInput, Failure, Infill, Logprobs, Prompt};

use super::input::inputs;
use super::options::{self, TOKENS_MAX};
use super::output::output;
use super::unsupported::{self, COMPLETION, GENERATION};
use crate::fields::Fields;
use crate::{Call, Ignored};

/// Parses the body of a completion: one request per prompt, all with the same options.
///
/// Without `max_tokens` an answer has at most 16 tokens, as OpenAI documents it.
///
/// # Errors
///
/// Of kind `Invalid` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_completion(body: &[u8]) -> Result<Call<Vec<ChatRequest>>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    unsupported::refuse(&mut fields, GENERATION)?;
    unsupported::refuse(&mut fields, COMPLETION)?;
    let prompts = inputs(&mut fields, "prompt", PROMPTS_MAX)?;
    let suffix = suffix(&mut fields, &prompts)?;
    let mut options = ChatRequest::new(Prompt::Text(String::new()));
    options::generation(&mut fields, &mut options)?;
    options.max_tokens = options::max_tokens(&mut fields, &["max_tokens", "n_predict"], Some(16))?;
    options.logprobs = fields.integer("logprobs", 0..=20)?.map(|top| Logprobs { top });
    options.output = output(&mut fields, &mut ignored)?;
    best_of(&mut fields, options.choices)?;
    let model = options::model(&mut fields)?;
    let delivery = options::delivery(&mut fields, &mut ignored)?;
    unsupported::note(&mut fields, &mut ignored);
    fields.ignore_rest("", &mut ignored);
    let request = |prompt| {
        let prompt = match (prompt, &suffix) {
            (EmbedInput::Text(prefix), Some(suffix)) => {
                Prompt::Infill(Infill { prefix, suffix: suffix.clone(), ..Infill::default() })
            }
            (EmbedInput::Text(text), None) => Prompt::Text(text),
            (EmbedInput::Tokens(ids), _) => Prompt::Tokens(ids),
        };
        ChatRequest { prompt, ..options.clone() }
    };
    Ok(Call {
        model,
        request: prompts.into_iter().map(request).collect(),
        delivery,
        ignored,
        keep_alive: None,
    })
}

/// Takes what stands behind the gap that the answer fills.
fn suffix(fields: &mut Fields, prompts: &[EmbedInput]) -> Result<Option<String>, Failure> {
    let suffix = fields.text("suffix", usize::MAX)?.filter(|suffix| !suffix.is_empty());
    let is_text = prompts.iter().all(|prompt| matches!(prompt, EmbedInput::Text(_)));
    if suffix.is_some() && !is_text {
        return Err(Failure::invalid("suffix", "`suffix` needs a `prompt` that is text, not token ids"));
    }
    Ok(suffix)
}

/// Choosing the best of more answers than are returned is not supported.
fn best_of(fields: &mut Fields, choices: u32) -> Result<(), Failure> {
    match fields.integer("best_of", 1..=TOKENS_MAX)? {
        Some(best_of) if best_of < choices => {
            Err(Failure::invalid("best_of", "`best_of` must not be less than `n`"))
        }
        Some(best_of) if best_of > choices => {
            Err(Failure::unsupported("best_of", "`best_of` is not supported here; leave it out or use `n`"))
        }
        _ => Ok(()),
    }
}

const PROMPTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use stack_chat::FailureKind;

    use super::*;

    fn parse(json: &str) -> Result<Call<Vec<ChatRequest>>, Failure> {
        parse_completion(json.as_bytes())
    }

    #[test]
    fn each_prompt_becomes_a_request_with_the_same_options() {
        let call =
            parse(r#"{"prompt": ["a", [1, 2]], "n": 2, "logprobs": 3, "seed": 4, "best_of": 2}"#).unwrap();
        let prompts: Vec<_> = call.request.iter().map(|request| request.prompt.clone()).collect();
        assert_eq!(prompts, [Prompt::Text("a".into()), Prompt::Tokens(vec![1, 2])]);
        for request in &call.request {
            assert_eq!((request.choices, request.max_tokens, request.sampling.seed), (2, Some(16), Some(4)));
            assert_eq!(request.logprobs, Some(Logprobs { top: 3 }));
        }
    }

    #[test]
    fn a_limit_has_two_names_and_minus_one_is_none() {
        for (more, want) in [
            ("", Some(16)),
            (r#", "max_tokens": -1"#, None),
            (r#", "n_predict": -1"#, None),
            (r#", "n_predict": 5"#, Some(5)),
            (r#", "n_predict": 5, "max_tokens": 6"#, Some(6)),
        ] {
            let call = parse(&format!(r#"{{"prompt": "a"{more}}}"#)).unwrap();
            assert_eq!((call.request[0].max_tokens, call.ignored), (want, Ignored::default()), "{more}");
        }
        assert_eq!(
            parse(r#"{"prompt": "a", "n_predict": 0}"#).unwrap_err().field.as_deref(),
            Some("n_predict")
        );
    }

    #[test]
    fn a_suffix_makes_the_prompt_one_side_of_a_gap() {
        let call = parse(r#"{"prompt": "a", "suffix": "b"}"#).unwrap();
        let gap = Infill { prefix: "a".into(), suffix: "b".into(), ..Infill::default() };
        assert_eq!(call.request[0].prompt, Prompt::Infill(gap));
        assert_eq!(
            parse(r#"{"prompt": "a", "suffix": ""}"#).unwrap().request[0].prompt,
            Prompt::Text("a".into())
        );
        assert_eq!(parse(r#"{"prompt": [1], "suffix": "b"}"#).unwrap_err().field.as_deref(), Some("suffix"));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (json, field) in
            [(r#"{"prompt": "a", "echo": true}"#, "echo"), (r#"{"prompt": "a", "best_of": 2}"#, "best_of")]
        {
            let error = parse(json).unwrap_err();
            assert_eq!((error.kind, error.field.as_deref()), (FailureKind::Unsupported, Some(field)));
        }
        assert_eq!(parse("{}").unwrap_err().field.as_deref(), Some("prompt"));
        assert_eq!(
            parse(r#"{"prompt": "a", "n": 3, "best_of": 2}"#).unwrap_err().kind,
            FailureKind::InvalidRequest
        );
    }
}
