//! `POST /v1/messages` and `POST /v1/messages/count_tokens`: the request.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Output, Prompt, Schema, Thinking};

use super::content::messages;
use super::tool::tools;
use crate::fields::{Fields, bounded, mismatch};
use crate::ignored::Words;
use crate::openai::effort;
use crate::schema::schema;
use crate::{Call, Delivery, Ignored};

/// Parses the body of a request for a message.
///
/// # Errors
///
/// Of kind `InvalidRequest` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_messages(body: &[u8]) -> Result<Call<ChatRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut call = conversation(&mut fields)?;
    let tokens = fields.integer("max_tokens", 1..=TOKENS_MAX)?;
    call.request.max_tokens = Some(tokens.ok_or_else(|| fields.missing("max_tokens"))?);
    if let (Thinking::Budget(budget), Some(tokens)) = (call.request.thinking, tokens)
        && budget >= tokens
    {
        let message = "`thinking.budget_tokens` must be less than `max_tokens`";
        return Err(Failure::invalid("thinking.budget_tokens", message));
    }
    call.request.stop = stop(&mut fields)?;
    let sampling = &mut call.request.sampling;
    sampling.temperature = fields.number("temperature", 0.0..=1.0)?;
    sampling.top_p = fields.number("top_p", 0.0..=1.0)?;
    sampling.top_k = fields.integer("top_k", 0..=i32::MAX)?.map(i32::cast_unsigned);
    if fields.flag("stream")?.unwrap_or(false) {
        call.delivery = Delivery::Stream { include_usage: true };
    }
    fields.ignore_rest("", &mut call.ignored);
    Ok(call)
}

/// Parses the body of a request to count the tokens of a conversation.
///
/// # Errors
///
/// As [`parse_messages`].
pub fn parse_count(body: &[u8]) -> Result<Call<ChatRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut call = conversation(&mut fields)?;
    fields.ignore_rest("", &mut call.ignored);
    Ok(call)
}

/// Takes what both routes have in common.
fn conversation(fields: &mut Fields) -> Result<Call<ChatRequest>, Failure> {
    let mut ignored = Ignored::in_words(WORDS);
    if fields.list("mcp_servers", 64)?.is_some_and(|servers| !servers.is_empty()) {
        return Err(Failure::unsupported("mcp_servers", "`mcp_servers` is not supported here; leave it out"));
    }
    if fields.take("container").is_some() {
        return Err(Failure::unsupported("container", "`container` is not supported here; leave it out"));
    }
    let mut request = ChatRequest::new(Prompt::Messages(messages(fields, &mut ignored)?));
    tools(fields, &mut request, &mut ignored)?;
    request.thinking = thinking(fields, &mut ignored)?;
    output(fields, &mut request, &mut ignored)?;
    let model = fields.text("model", 512)?.filter(|name| !name.is_empty());
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Takes `thinking`. That a model thinks as it likes is what models without thinking do, too.
fn thinking(fields: &mut Fields, ignored: &mut Ignored) -> Result<Thinking, Failure> {
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(Thinking::Default) };
    let path = thinking.path("type");
    let wanted = match thinking.require("type")? {
        Value::String(kind) if kind == "adaptive" => Thinking::Default,
        Value::String(kind) if kind == "disabled" => Thinking::Off,
        Value::String(kind) if kind == "enabled" => {
            ignored.effort_is("thinking.budget_tokens");
            let budget = thinking.integer("budget_tokens", 1024..=TOKENS_MAX)?;
            Thinking::Budget(budget.ok_or_else(|| thinking.missing("budget_tokens"))?)
        }
        other => return Err(mismatch(path, "\"enabled\", \"adaptive\" or \"disabled\"", &other)),
    };
    thinking.ignore_rest("thinking", ignored);
    Ok(wanted)
}

/// Takes `output_config`, and `output_format`, which is its older name for the form of the answer.
fn output(fields: &mut Fields, request: &mut ChatRequest, ignored: &mut Ignored) -> Result<(), Failure> {
    if let Some(older) = fields.object("output_format")? {
        request.output = format(older)?;
    }
    let Some(mut config) = fields.object("output_config")? else { return Ok(()) };
    if let Some(newer) = config.object("format")? {
        request.output = format(newer)?;
    }
    let path = config.path("effort");
    if let Some(value) = config.take("effort") {
        match (value.as_str().and_then(effort), request.thinking) {
            (None | Some(Thinking::Off), _) => {
                let words = "\"low\", \"medium\", \"high\", \"xhigh\" or \"max\"";
                return Err(mismatch(path, words, &value));
            }
            (Some(effort), Thinking::Default) => request.thinking = effort,
            (Some(_), _) => ignored.note("output_config.effort"),
        }
    }
    config.ignore_rest("output_config", ignored);
    Ok(())
}

fn format(mut format: Fields) -> Result<Output, Failure> {
    let path = format.path("type");
    match format.require("type")? {
        Value::String(kind) if kind == "json_schema" => {
            let path = format.path("schema");
            let schema = schema(&path, &format.require("schema")?)?;
            Ok(Output::Schema(Schema { name: None, schema, strict: true }))
        }
        other => Err(mismatch(path, "\"json_schema\"", &other)),
    }
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Failure> {
    let texts = fields.list("stop_sequences", STOPS_MAX)?.unwrap_or_default();
    bounded("stop_sequences", texts.len(), STOPS_MAX)?;
    let text = |(index, value): (usize, Value)| match value {
        Value::String(text) if (1..=STOP_BYTES_MAX).contains(&text.len()) => Ok(text),
        other => {
            let expected = format!("a string of 1 to {STOP_BYTES_MAX} bytes");
            Err(mismatch(format!("stop_sequences[{index}]"), &expected, &other))
        }
    };
    texts.into_iter().enumerate().map(text).collect()
}

const WORDS: Words = Words {
    strict_tools: "tools[].strict",
    parallel_tool_calls: "tool_choice.disable_parallel_tool_use",
    tool_errors: "messages[].content[].is_error",
    speaker_names: "messages[].name",
    reasoning: "messages[].content[].thinking",
    thinking: "thinking",
    effort: "output_config.effort",
};

const TOKENS_MAX: u32 = i32::MAX as u32;
const STOPS_MAX: usize = 32;
const STOP_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use stack_chat::{Effort, FailureKind, Message, Role, Unused};

    use super::*;

    fn parse(more: &str) -> Result<Call<ChatRequest>, Failure> {
        let body = format!(
            r#"{{"model": "m", "max_tokens": 4096, "messages": [{{"role": "user", "content": "Hi"}}]{more}}}"#
        );
        parse_messages(body.as_bytes())
    }

    #[test]
    fn the_smallest_request_leaves_everything_to_the_model() {
        let call = parse("").unwrap();
        let mut want = ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]));
        want.max_tokens = Some(4096);
        assert_eq!(call.request, want);
        assert_eq!((call.model.as_deref(), call.delivery), (Some("m"), Delivery::Whole));
        assert_eq!(call.ignored.header_value(), None);
    }

    #[test]
    fn a_request_of_a_coding_agent_is_taken() {
        let call = parse_messages(
            br#"{"model": "claude-sonnet-4-5", "max_tokens": 32000, "stream": true, "temperature": 1,
                "metadata": {"user_id": "u"}, "thinking": {"type": "adaptive"},
                "context_management": {"edits": []}, "output_config": {"effort": "high"},
                "system": [{"type": "text", "text": "x-anthropic-billing-header: a=b"},
                           {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "ls"}]}],
                "tools": [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object"}}]}"#,
        );
        let call = call.unwrap();
        assert_eq!(call.delivery, Delivery::Stream { include_usage: true });
        assert_eq!(call.request.thinking, Thinking::Effort(Effort::High));
        assert_eq!(call.request.tools.len(), 1);
        let Prompt::Messages(messages) = call.request.prompt else { panic!("messages") };
        assert_eq!(
            (&messages[0].role, messages[0].parts.len()),
            (&Role::System, 3),
            "two texts and a cache mark"
        );
        let ignored = "context_management, messages[].content[].cache_control, metadata";
        assert_eq!(call.ignored.header_value().as_deref(), Some(ignored));
    }

    #[test]
    fn thinking_and_forms_arrive() {
        for (more, want) in [
            (r#", "thinking": {"type": "disabled"}"#, Thinking::Off),
            (r#", "thinking": {"type": "enabled", "budget_tokens": 2000}"#, Thinking::Budget(2000)),
            (r#", "thinking": {"type": "adaptive", "display": "summarized"}"#, Thinking::Default),
            (r#", "output_config": {"effort": "max"}"#, Thinking::Effort(Effort::Max)),
        ] {
            assert_eq!(parse(more).unwrap().request.thinking, want, "{more}");
        }
        let schema = r#"{"type": "json_schema", "schema": {"type": "object"}}"#;
        for more in [
            format!(r#", "output_config": {{"format": {schema}}}"#),
            format!(r#", "output_format": {schema}"#),
        ] {
            assert!(matches!(parse(&more).unwrap().request.output, Output::Schema(_)), "{more}");
        }
    }

    #[test]
    fn what_a_model_has_no_use_for_is_named_in_the_words_of_the_dialect() {
        let mut ignored =
            parse(r#", "thinking": {"type": "enabled", "budget_tokens": 2000}"#).unwrap().ignored;
        for unused in [
            Unused::EnableThinking,
            Unused::Variable("reasoning_effort".into()),
            Unused::Reasoning,
            Unused::ParallelToolCalls,
        ] {
            ignored.note_unused(&unused);
        }
        let expected = "messages[].content[].thinking, thinking, thinking.budget_tokens, \
            tool_choice.disable_parallel_tool_use";
        assert_eq!(ignored.header_value().as_deref(), Some(expected));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (more, field) in [
            (r#", "max_tokens": 0"#, "max_tokens"),
            (r#", "max_tokens": "many""#, "max_tokens"),
            (r#", "max_tokens": null"#, "max_tokens"),
            (r#", "temperature": 1.5"#, "temperature"),
            (r#", "top_p": []"#, "top_p"),
            (r#", "top_k": -1"#, "top_k"),
            (r#", "stream": "yes""#, "stream"),
            (r#", "model": 1"#, "model"),
            (r#", "stop_sequences": "x""#, "stop_sequences"),
            (r#", "stop_sequences": ["a", ""]"#, "stop_sequences[1]"),
            (r#", "thinking": true"#, "thinking"),
            (r#", "thinking": {}"#, "thinking.type"),
            (r#", "thinking": {"type": "enabled"}"#, "thinking.budget_tokens"),
            (r#", "thinking": {"type": "enabled", "budget_tokens": 100}"#, "thinking.budget_tokens"),
            (r#", "thinking": {"type": "enabled", "budget_tokens": 4096}"#, "thinking.budget_tokens"),
            (r#", "output_config": {"effort": "none"}"#, "output_config.effort"),
            (r#", "output_config": {"format": {"type": "xml"}}"#, "output_config.format.type"),
            (r#", "mcp_servers": [{}]"#, "mcp_servers"),
            (r#", "container": "c""#, "container"),
        ] {
            let failure = parse(more).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some(field), "{more}");
            let is_kind = matches!(failure.kind, FailureKind::InvalidRequest | FailureKind::Unsupported);
            assert!(is_kind, "{more}");
        }
    }

    #[test]
    fn counting_needs_no_limit() {
        let body = br#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#;
        assert_eq!(parse_count(body).unwrap().request.max_tokens, None);
        assert_eq!(parse_messages(body).unwrap_err().field.as_deref(), Some("max_tokens"));
    }

    #[test]
    fn any_prefix_and_any_flipped_byte_is_an_error_or_a_request() {
        let body = br#"{"max_tokens":9,"system":"a","messages":[{"role":"user","content":[{"type":"text","text":"\u00e9"}]}],
            "tools":[{"name":"f","input_schema":{"enum":["a"]}}],"stop_sequences":["a"],"top_k":3}"#;
        for end in 0..body.len() {
            assert!(parse_messages(&body[..end]).is_err());
        }
        let mut flipped = body.to_vec();
        for place in 0..body.len() {
            flipped[place] ^= 0x20;
            let _either = parse_messages(&flipped);
            flipped[place] ^= 0x20;
        }
    }
}
