//! `/completion`: the request.

use serde_json::Value;
use stack_chat::{ChatRequest, EmbedInput, Failure, Logprobs, Prompt};

use crate::fields::{Fields, mismatch, too_long};
use crate::openai::{self, GENERATION};
use crate::{Call, Ignored};

/// Prompts to be continued, all with the same options.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// One request for each prompt.
    pub requests: Vec<ChatRequest>,
    /// Whether the answer lists its tokens.
    pub return_tokens: bool,
    /// The fields that the answer has, if not all of them.
    pub fields: Vec<String>,
}

/// Parses the body of a completion. Without `n_predict`, an answer may fill the context.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_completion(body: &[u8]) -> Result<Call<Completion>, Failure> {
    let mut fields = Fields::parse(body)?;
    let prompts = inputs(&mut fields, "prompt", PROMPTS_MAX)?;
    let prompts = prompts.into_iter().map(|prompt| match prompt {
        EmbedInput::Text(text) => Prompt::Text(text),
        EmbedInput::Tokens(tokens) => Prompt::Tokens(tokens),
    });
    options(fields, prompts.collect())
}

/// Takes everything but the prompts.
pub(super) fn options(mut fields: Fields, prompts: Vec<Prompt>) -> Result<Call<Completion>, Failure> {
    let mut ignored = Ignored::default();
    let return_tokens = fields.flag("return_tokens")?.unwrap_or(false);
    let shown = response_fields(&mut fields)?;
    let top = fields.integer("n_probs", 0..=20_u8)?.filter(|&top| top > 0);
    openai::refuse(&mut fields, GENERATION)?;
    let mut request = ChatRequest::new(Prompt::Tokens(Vec::new()));
    openai::generation(&mut fields, &mut request)?;
    request.max_tokens = openai::max_tokens(&mut fields, &["n_predict", "max_tokens"], None)?;
    request.logprobs = top.map(|top| Logprobs { top });
    request.output = openai::output(&mut fields, &mut ignored)?;
    let model = openai::model(&mut fields)?;
    let delivery = openai::delivery(&mut fields, &mut ignored)?;
    openai::note(&mut fields, &mut ignored);
    fields.ignore_rest("", &mut ignored);
    let requests = prompts.into_iter().map(|prompt| ChatRequest { prompt, ..request.clone() }).collect();
    let request = Completion { requests, return_tokens, fields: shown };
    Ok(Call { model, request, delivery, ignored, keep_alive: None })
}

/// Takes texts and token ids as OpenAI has them, and texts in objects: `{"prompt_string": TEXT}`, alone or in a list.
pub(super) fn inputs(fields: &mut Fields, name: &str, len_max: usize) -> Result<Vec<EmbedInput>, Failure> {
    let path = fields.path(name);
    let value = match fields.require(name)? {
        Value::Array(values) => {
            let text = |(index, value)| unwrapped(format!("{path}[{index}]"), value);
            values.into_iter().enumerate().map(text).collect::<Result<_, _>>()?
        }
        value => unwrapped(path, value)?,
    };
    openai::inputs_of(name, value, len_max)
}

fn unwrapped(path: String, value: Value) -> Result<Value, Failure> {
    if !value.is_object() {
        return Ok(value);
    }
    let mut prompt = Fields::open(path, value)?;
    let text = prompt.require_text("prompt_string", usize::MAX)?;
    match prompt.rest().iter().find(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty())) {
        None => Ok(Value::String(text)),
        Some((name, _)) => {
            let path = prompt.path(name);
            let message = format!("`{path}` is not supported here: a prompt is text or token ids");
            Err(Failure::unsupported(path, message))
        }
    }
}

/// Takes the names of the fields that the answer is to have; `a/b` is the field `b` of the object `a`.
fn response_fields(fields: &mut Fields) -> Result<Vec<String>, Failure> {
    let path = fields.path("response_fields");
    let names = fields.list("response_fields", FIELDS_MAX)?.unwrap_or_default();
    let name = |(index, name)| match name {
        Value::String(name) if name.len() <= FIELD_BYTES_MAX => Ok(name),
        Value::String(_) => Err(too_long(format!("{path}[{index}]"), FIELD_BYTES_MAX)),
        other => Err(mismatch(format!("{path}[{index}]"), "the name of a field", &other)),
    };
    names.into_iter().enumerate().map(name).collect()
}

const PROMPTS_MAX: usize = 64;
const FIELDS_MAX: usize = 64;
const FIELD_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use stack_chat::{FailureKind, GrammarSyntax, Output};

    use super::*;
    use crate::Delivery;

    #[test]
    fn the_words_of_llama_server_arrive() {
        let body = r#"{"prompt": ["a", [1, 2]], "n_predict": 4, "n_probs": 3, "return_tokens": true, "stream": true, "response_fields": ["content", "timings/prompt_n"],
            "grammar": "root ::= \"a\"", "stop": ["x"], "seed": 7, "cache_prompt": true, "id_slot": 2}"#;
        let Call { request, delivery, ignored, .. } = parse_completion(body.as_bytes()).unwrap();
        assert_eq!(delivery, Delivery::Stream { include_usage: false });
        assert_eq!(ignored.header_value().as_deref(), Some("id_slot"));
        assert!(request.return_tokens);
        assert_eq!(request.fields, ["content", "timings/prompt_n"]);
        let prompts: Vec<_> = request.requests.iter().map(|request| &request.prompt).collect();
        assert_eq!(prompts, [&Prompt::Text("a".into()), &Prompt::Tokens(vec![1, 2])]);
        let first = &request.requests[0];
        assert_eq!((first.max_tokens, first.logprobs), (Some(4), Some(Logprobs { top: 3 })));
        assert_eq!((first.stop.as_slice(), first.sampling.seed), (&["x".to_owned()][..], Some(7)));
        assert!(matches!(&first.output, Output::Grammar(grammar) if grammar.syntax == GrammarSyntax::Gbnf));
    }

    #[test]
    fn a_prompt_may_stand_in_an_object() {
        for (prompt, want) in [
            (r#"{"prompt_string": "a"}"#, vec![Prompt::Text("a".into())]),
            (r#"[{"prompt_string": "a", "multimodal_data": []}, [1], "b"]"#, {
                vec![Prompt::Text("a".into()), Prompt::Tokens(vec![1]), Prompt::Text("b".into())]
            }),
        ] {
            let call = parse_completion(format!(r#"{{"prompt": {prompt}}}"#).as_bytes()).unwrap();
            let prompts: Vec<_> = call.request.requests.into_iter().map(|request| request.prompt).collect();
            assert_eq!(prompts, want);
        }
        for (prompt, field) in [
            (r#"{"prompt_string": "a", "multimodal_data": ["x"]}"#, "prompt.multimodal_data"),
            (r#"[{"prompt_string": 1}]"#, "prompt[0].prompt_string"),
            ("{}", "prompt.prompt_string"),
        ] {
            let error = parse_completion(format!(r#"{{"prompt": {prompt}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field));
        }
    }

    #[test]
    fn its_own_names_for_what_others_call_otherwise_count() {
        let body = br#"{"prompt": "a", "n": 2, "n_cmpl": 3, "samplers":
            ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]}"#;
        assert_eq!(parse_completion(body).unwrap().request.requests[0].choices, 3);
        let error = parse_completion(br#"{"prompt": "a", "samplers": ["top_k"]}"#).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("samplers"));
    }

    #[test]
    fn without_a_limit_the_context_is_one() {
        for body in [r#"{"prompt": "a"}"#, r#"{"prompt": "a", "n_predict": -1}"#] {
            assert_eq!(parse_completion(body.as_bytes()).unwrap().request.requests[0].max_tokens, None);
        }
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_name() {
        let error = parse_completion(br#"{"prompt": "a", "mirostat": 2}"#).unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (FailureKind::Unsupported, Some("mirostat")));
        let long = "x".repeat(FIELD_BYTES_MAX + 1);
        for (fields, field) in [
            (String::new(), "prompt"),
            (r#""prompt": "a", "response_fields": "content""#.to_owned(), "response_fields"),
            (r#""prompt": "a", "response_fields": ["content", 1]"#.to_owned(), "response_fields[1]"),
            (format!(r#""prompt": "a", "response_fields": ["{long}"]"#), "response_fields[0]"),
        ] {
            let error = parse_completion(format!("{{{fields}}}").as_bytes()).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field));
        }
    }
}
