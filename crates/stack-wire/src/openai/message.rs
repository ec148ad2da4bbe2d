//! Messages of a conversation.

use serde_json::Value;
use stack_chat::{ChatError, Json, Message, Role, ToolCall};

use crate::Ignored;
use crate::fields::{Fields, bounded, mismatch};

/// Takes `messages`, which must hold at least one.
pub(super) fn messages(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Message>, ChatError> {
    let values = match fields.require("messages")? {
        Value::Array(values) => values,
        other => return Err(mismatch("messages".into(), "an array of messages", &other)),
    };
    bounded("messages", values.len(), MESSAGES_MAX)?;
    if values.is_empty() {
        return Err(ChatError::invalid("messages", "`messages` must hold at least one message"));
    }
    let parse = |(index, value)| message(Fields::open(format!("messages[{index}]"), value)?, ignored);
    values.into_iter().enumerate().map(parse).collect()
}

fn message(mut fields: Fields, ignored: &mut Ignored) -> Result<Message, ChatError> {
    let role = role(&mut fields)?;
    for name in ["audio", "function_call"] {
        if fields.take(name).is_some() {
            let path = fields.path(name);
            let message = format!("`{path}` is not supported");
            return Err(ChatError::unsupported(path, message));
        }
    }
    let content_path = fields.path("content");
    let message = Message {
        content: fields.take("content").map(|value| content(&content_path, value, ignored)).transpose()?,
        name: fields.text("name", NAME_BYTES_MAX)?,
        reasoning: reasoning(&mut fields)?,
        tool_calls: tool_calls(&mut fields, ignored)?,
        tool_call_id: fields.text("tool_call_id", NAME_BYTES_MAX)?,
        role,
    };
    let calls_only = message.role == Role::Assistant && !message.tool_calls.is_empty();
    if message.content.is_none() && !calls_only {
        let text = format!("`{content_path}` is required, except beside `tool_calls`");
        return Err(ChatError::invalid(content_path, text));
    }
    fields.ignore_rest("messages[]", ignored);
    Ok(message)
}

fn role(fields: &mut Fields) -> Result<Role, ChatError> {
    let path = fields.path("role");
    match fields.require("role")? {
        Value::String(role) if (1..=NAME_BYTES_MAX).contains(&role.len()) => Ok(Role::from(role.as_str())),
        other => Err(mismatch(path, "the name of a role", &other)),
    }
}

/// Two names are in use for the reasoning of earlier turns.
fn reasoning(fields: &mut Fields) -> Result<Option<String>, ChatError> {
    let short = fields.text("reasoning", usize::MAX)?;
    Ok(fields.text("reasoning_content", usize::MAX)?.or(short))
}

/// Reads a text, or a list of text parts, which are joined by line breaks.
fn content(path: &str, value: Value, ignored: &mut Ignored) -> Result<String, ChatError> {
    let parts = match value {
        Value::String(text) => return Ok(text),
        Value::Array(parts) => parts,
        other => return Err(mismatch(path.to_owned(), "a string or an array of content parts", &other)),
    };
    let mut texts = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let mut part = Fields::open(format!("{path}[{index}]"), part)?;
        let kind_path = part.path("type");
        match part.require("type")? {
            Value::String(kind) if kind == "text" => texts.push(part.require_text("text", usize::MAX)?),
            Value::String(_) => {
                let message = format!("`{path}[{index}]` is not text; this model only takes text");
                return Err(ChatError::unsupported(format!("{path}[{index}]"), message));
            }
            other => return Err(mismatch(kind_path, "a string", &other)),
        }
        part.ignore_rest("messages[].content[]", ignored);
    }
    Ok(texts.join("\n"))
}

fn tool_calls(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<ToolCall>, ChatError> {
    let path = fields.path("tool_calls");
    let calls = fields.list("tool_calls", TOOL_CALLS_MAX)?.unwrap_or_default();
    let parse = |(index, call)| tool_call(Fields::open(format!("{path}[{index}]"), call)?, ignored);
    calls.into_iter().enumerate().map(parse).collect()
}

fn tool_call(mut call: Fields, ignored: &mut Ignored) -> Result<ToolCall, ChatError> {
    if let Some(kind) = call.text("type", NAME_BYTES_MAX)?.filter(|kind| kind != "function") {
        let path = call.path("type");
        let message = format!("`{path}` is {kind:?}; only \"function\" is supported");
        return Err(ChatError::unsupported(path, message));
    }
    let path = call.path("function");
    let mut function = Fields::open(path, call.require("function")?)?;
    let name = function.require_text("name", NAME_BYTES_MAX)?;
    let arguments = arguments(&mut function)?;
    function.ignore_rest("messages[].tool_calls[].function", ignored);
    let id = call.text("id", NAME_BYTES_MAX)?.unwrap_or_default();
    call.ignore_rest("messages[].tool_calls[]", ignored);
    Ok(ToolCall { id, name, arguments })
}

/// OpenAI sends the arguments as JSON inside a string, others as an object; nothing at all means no arguments.
fn arguments(function: &mut Fields) -> Result<Json, ChatError> {
    let path = function.path("arguments");
    let object = match function.take("arguments") {
        None => return Ok(Json("{}".to_owned())),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(Json("{}".to_owned())),
        Some(Value::String(text)) => {
            crate::limits::check(text.as_bytes())?;
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        Some(other) => other,
    };
    match object {
        Value::Object(_) => Ok(Json(object.to_string())),
        other => Err(mismatch(path, "a JSON object, or its text", &other)),
    }
}

const MESSAGES_MAX: usize = 10_000;
const TOOL_CALLS_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<Message>, ChatError> {
        let body = format!("{{\"messages\": {json}}}");
        messages(&mut Fields::parse(body.as_bytes())?, &mut Ignored::default())
    }

    fn field(json: &str) -> String {
        parse(json).expect_err(json).field.expect("an error about a field")
    }

    #[test]
    fn text_and_text_parts_are_the_same_content() {
        let parts = parse(
            r#"[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]"#,
        );
        assert_eq!(parts, parse(r#"[{"role": "user", "content": "a\nb"}]"#));
        assert_eq!(parse(r#"[{"role": "user", "content": "a"}]"#).unwrap(), [Message::user("a")]);
    }

    #[test]
    fn a_conversation_with_tools_keeps_ids_and_arguments() {
        let got = parse(
            r#"[{"role": "assistant", "content": null, "reasoning_content": "hm",
                 "tool_calls": [{"id": "c1", "type": "function",
                                 "function": {"name": "add", "arguments": "{\"b\": 1, \"a\": 2}"}}]},
                {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "3"}]"#,
        );
        let [assistant, tool] = got.unwrap().try_into().unwrap();
        assert_eq!(assistant.content, None);
        assert_eq!(assistant.reasoning.as_deref(), Some("hm"));
        let arguments = Json(r#"{"b":1,"a":2}"#.into());
        assert_eq!(assistant.tool_calls, [ToolCall { id: "c1".into(), name: "add".into(), arguments }]);
        assert_eq!((tool.role, tool.tool_call_id.as_deref()), (Role::Tool, Some("c1")));
    }

    #[test]
    fn what_nobody_reads_is_listed_however_deep() {
        let body = br#"{"messages": [
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}], "weight": 1},
            {"role": "assistant", "tool_calls": [{"index": 0, "function": {"name": "f", "parsed": {}}}]}]}"#;
        let mut ignored = Ignored::default();
        messages(&mut Fields::parse(body).unwrap(), &mut ignored).unwrap();
        let expected = "messages[].content[].cache_control, messages[].tool_calls[].function.parsed, \
            messages[].tool_calls[].index, messages[].weight";
        assert_eq!(ignored.header_value().as_deref(), Some(expected));
    }

    #[test]
    fn the_message_at_fault_is_named() {
        for (json, want) in [
            ("[]", "messages"),
            ("\"hi\"", "messages"),
            ("[1]", "messages[0]"),
            (r#"[{"content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": 1, "content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "", "content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "user"}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": 1}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": [1]}]"#, "messages[0].content[0]"),
            (r#"[{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text"),
            (r#"[{"role": "user", "content": [{"type": 1}]}]"#, "messages[0].content[0].type"),
            (r#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "messages[0].content[0]"),
            (r#"[{"role": "user", "content": "a", "name": 1}]"#, "messages[0].name"),
            (r#"[{"role": "assistant", "tool_calls": [{}]}]"#, "messages[0].tool_calls[0].function"),
            (
                r#"[{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "["}}]}]"#,
                "messages[0].tool_calls[0].function.arguments",
            ),
            (r#"[{"role": "assistant", "content": "a", "function_call": {}}]"#, "messages[0].function_call"),
        ] {
            assert_eq!(field(json), want, "{json}");
        }
    }
}
