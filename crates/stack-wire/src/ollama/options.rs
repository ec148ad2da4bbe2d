//! What chat and generate have in common.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Output, Schema, Thinking};

use crate::fields::{Fields, mismatch};
use crate::ignored::Words;
use crate::openai::{effort, sampling, stop};
use crate::schema::schema;
use crate::{Delivery, Ignored};

/// Takes everything but what the model is asked.
pub(super) fn options(
    fields: &mut Fields,
    request: &mut ChatRequest,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    if fields.text("template", usize::MAX)?.is_some_and(|template| !template.is_empty()) {
        let message = "`template` is not supported here: the model's own is used";
        return Err(Failure::unsupported("template", message));
    }
    if fields.flag("logprobs")?.unwrap_or(false) {
        let message = "`logprobs` is not supported on this route; use /v1/chat/completions";
        return Err(Failure::unsupported("logprobs", message));
    }
    request.output = format(fields)?;
    think(fields, request)?;
    let Some(mut options) = fields.object("options")? else { return Ok(()) };
    if options.integer("mirostat", 0..=2)?.unwrap_or(0) != 0 {
        let message = "`options.mirostat` is not supported here; leave it out or use 0";
        return Err(Failure::unsupported("options.mirostat", message));
    }
    request.sampling = sampling(&mut options)?;
    request.stop = stop(&mut options)?;
    // -1 asks for no limit, and -2 for as much as the context holds, which is the same.
    let tokens = options.integer("num_predict", -2..=i32::MAX)?;
    if tokens == Some(0) {
        let message = "`options.num_predict` must be at least 1; -1 asks for no limit";
        return Err(Failure::invalid("options.num_predict", message));
    }
    request.max_tokens = tokens.and_then(|tokens| u32::try_from(tokens).ok());
    options.ignore_rest("options", ignored);
    Ok(())
}

/// Takes `stream`, which is on unless it is turned off.
pub(super) fn delivery(fields: &mut Fields) -> Result<Delivery, Failure> {
    let streams = fields.flag("stream")?.unwrap_or(true);
    Ok(if streams { Delivery::Stream { include_usage: true } } else { Delivery::Whole })
}

/// Takes `model`. An empty name names none.
pub(super) fn model(fields: &mut Fields) -> Result<Option<String>, Failure> {
    Ok(fields.text("model", 512)?.filter(|name| !name.is_empty()))
}

fn format(fields: &mut Fields) -> Result<Output, Failure> {
    match fields.take("format") {
        None => Ok(Output::Text),
        Some(Value::String(word)) if word.is_empty() => Ok(Output::Text),
        Some(Value::String(word)) if word == "json" => Ok(Output::Json),
        Some(value @ Value::Object(_)) => {
            Ok(Output::Schema(Schema { name: None, schema: schema("format", &value)?, strict: true }))
        }
        Some(other) => Err(mismatch("format".into(), "\"json\" or a JSON schema", &other)),
    }
}

fn think(fields: &mut Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    match fields.take("think") {
        None => Ok(()),
        Some(Value::Bool(false)) => {
            request.thinking = Thinking::Off;
            Ok(())
        }
        Some(Value::Bool(true)) => {
            request.template.enable_thinking = Some(true);
            Ok(())
        }
        Some(value) => match value.as_str().and_then(effort) {
            Some(effort) => {
                request.thinking = effort;
                Ok(())
            }
            None => Err(mismatch("think".into(), "true, false, \"low\", \"medium\" or \"high\"", &value)),
        },
    }
}

/// What this dialect calls what a model may have no use for.
pub(super) const WORDS: Words = Words {
    strict_tools: "tools[].function.strict",
    parallel_tool_calls: "parallel_tool_calls",
    tool_errors: "messages[].content",
    speaker_names: "messages[].name",
    reasoning: "messages[].thinking",
    thinking: "think",
    effort: "think",
};

#[cfg(test)]
mod tests {
    use stack_chat::{Effort, Prompt};

    use super::*;

    fn parse(json: &str) -> Result<(ChatRequest, Option<String>), Failure> {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        let mut ignored = Ignored::in_words(WORDS);
        options(&mut Fields::parse(json.as_bytes())?, &mut request, &mut ignored)?;
        Ok((request, ignored.header_value()))
    }

    #[test]
    fn options_arrive_and_what_is_not_about_the_answer_is_listed() {
        let (request, ignored) = parse(
            r#"{"options": {"temperature": 0, "top_k": 5, "seed": 7, "stop": ["a"], "num_predict": 9,
                "num_ctx": 4096, "num_gpu": 1}, "format": "json", "think": "high"}"#,
        )
        .unwrap();
        assert_eq!((request.sampling.temperature, request.sampling.top_k), (Some(0.0), Some(5)));
        assert_eq!((request.sampling.seed, request.max_tokens), (Some(7), Some(9)));
        assert_eq!((request.stop, request.output), (vec!["a".to_owned()], Output::Json));
        assert_eq!(request.thinking, Thinking::Effort(Effort::High));
        assert_eq!(ignored.as_deref(), Some("options.num_ctx, options.num_gpu"));
        assert_eq!(parse(r#"{"options": {"num_predict": -1}}"#).unwrap().0.max_tokens, None);
        assert_eq!(parse(r#"{"think": false}"#).unwrap().0.thinking, Thinking::Off);
        assert_eq!(parse(r#"{"think": true}"#).unwrap().0.template.enable_thinking, Some(true));
        assert!(matches!(parse(r#"{"format": {"type": "object"}}"#).unwrap().0.output, Output::Schema(_)));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, want) in [
            (r#"{"options": []}"#, "options"),
            (r#"{"options": {"temperature": "hot"}}"#, "options.temperature"),
            (r#"{"options": {"stop": [1]}}"#, "options.stop"),
            (r#"{"options": {"num_predict": 0}}"#, "options.num_predict"),
            (r#"{"options": {"num_predict": -3}}"#, "options.num_predict"),
            (r#"{"options": {"mirostat": 1}}"#, "options.mirostat"),
            (r#"{"format": "xml"}"#, "format"),
            (r#"{"format": {"enum": []}}"#, "format.enum"),
            (r#"{"think": "extremely"}"#, "think"),
            (r#"{"template": "{{ .Prompt }}"}"#, "template"),
            (r#"{"logprobs": true}"#, "logprobs"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(want), "{json}");
        }
    }
}
