//! Content blocks of messages.

use serde_json::Value;
use stack_chat::{Failure, Foreign, Json, Media, MediaSource, Message, Part, Role, ToolCall, ToolResult};

use crate::calls::Calls;
use crate::fields::{Fields, bounded, mismatch};
use crate::opaque::{cache_mark, kept, opaque};
use crate::provider::{Family, REDACTED, SIGNATURE};
use crate::{Ignored, media};

/// Takes `system` and `messages`, which must hold at least one. The instructions become the first message.
pub(super) fn messages(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    let mut calls = Calls::default();
    if let Some(system) = fields.take("system") {
        let parts = content("system", system, &mut calls, ignored)?;
        let mut blocks = parts.iter().filter(|part| !matches!(part, Part::CacheMark(_)));
        if let Some(place) = blocks.position(|part| !matches!(part, Part::Text(_))) {
            let path = format!("system[{place}].type");
            let message = format!("`{path}` must be \"text\"");
            return Err(Failure::invalid(path, message));
        }
        messages.push(Message { role: Role::System, name: None, parts });
    }
    let values = match fields.require("messages")? {
        Value::Array(values) => values,
        other => return Err(mismatch("messages".into(), "an array of messages", &other)),
    };
    bounded("messages", values.len(), MESSAGES_MAX)?;
    if values.is_empty() {
        return Err(Failure::invalid("messages", "`messages` must hold at least one message"));
    }
    for (index, value) in values.into_iter().enumerate() {
        message(Fields::open(format!("messages[{index}]"), value)?, &mut calls, &mut messages, ignored)?;
    }
    Ok(messages)
}

/// Reads one message. Results of tools, which in this dialect are blocks of a user's message, become messages of their
/// own, so a message may become several.
fn message(
    mut fields: Fields,
    calls: &mut Calls,
    messages: &mut Vec<Message>,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    let path = fields.path("role");
    let role = match fields.require("role")? {
        Value::String(role) if role == "user" => Role::User,
        Value::String(role) if role == "assistant" => Role::Assistant,
        other => return Err(mismatch(path, "\"user\" or \"assistant\"", &other)),
    };
    let path = fields.path("content");
    let parts = content(&path, fields.require("content")?, calls, ignored)?;
    fields.ignore_rest("messages[]", ignored);
    let mut said = Vec::new();
    for part in parts {
        match (part, &role) {
            (Part::ToolResult(result), Role::User) => {
                flush(&role, &mut said, messages);
                messages.push(Message::result(result));
            }
            (Part::ToolResult(_), _) => {
                let message =
                    format!("`{path}` holds a tool_result, which belongs into a message of the user");
                return Err(Failure::invalid(path, message));
            }
            (Part::ToolCall(_) | Part::Thinking(_) | Part::Opaque(_), Role::User) => {
                let message = format!(
                    "`{path}` holds a tool_use or thinking, which belongs into a message of the assistant"
                );
                return Err(Failure::invalid(path, message));
            }
            (part, _) => said.push(part),
        }
    }
    flush(&role, &mut said, messages);
    Ok(())
}

fn flush(role: &Role, said: &mut Vec<Part>, messages: &mut Vec<Message>) {
    if !said.is_empty() {
        messages.push(Message { role: role.clone(), name: None, parts: std::mem::take(said) });
    }
}

/// Reads a text, or a list of blocks.
fn content(path: &str, value: Value, calls: &mut Calls, ignored: &mut Ignored) -> Result<Vec<Part>, Failure> {
    match value {
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (index, value) in blocks.into_iter().enumerate() {
                let whole = Json(value.to_string());
                let block = Fields::open(format!("{path}[{index}]"), value)?;
                part(block, whole, calls, &mut parts, ignored)?;
            }
            Ok(parts)
        }
        other => Err(mismatch(path.to_owned(), "a string or an array of content blocks", &other)),
    }
}

/// Reads one block into the parts that it is; `whole` is all of it. A signature follows what it signs, and a cache mark
/// what it is behind, or closes the result that it belongs to.
fn part(
    mut block: Fields,
    whole: Json,
    calls: &mut Calls,
    parts: &mut Vec<Part>,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    let path = block.path("type");
    let kind = match block.require("type")? {
        Value::String(kind) => kind,
        other => return Err(mismatch(path, "a string", &other)),
    };
    let part = match kind.as_str() {
        "text" => Part::Text(block.require_text("text", usize::MAX)?),
        "image" => Part::Image(source(&mut block)?),
        "document" => Part::Document(source(&mut block)?),
        "thinking" => Part::Thinking(block.require_text("thinking", usize::MAX)?),
        "redacted_thinking" => {
            ignored.note("messages[].content[].data");
            opaque(Family::Anthropic, REDACTED, block.require_text("data", usize::MAX)?)
        }
        "tool_use" => Part::ToolCall(tool_use(&mut block, calls)?),
        "tool_result" => Part::ToolResult(tool_result(&mut block, calls, ignored)?),
        kind if FOREIGN.contains(&kind) => {
            parts.push(Part::Foreign(Foreign { kind: kind.to_owned(), json: whole }));
            return Ok(());
        }
        kind => {
            let shown: String = kind.chars().take(32).collect();
            let message = format!("`{path}` is {shown:?}, which is no content block");
            return Err(Failure::invalid(path, message));
        }
    };
    let mark = cache_mark(&mut block)?;
    if mark.is_some() {
        ignored.note("messages[].content[].cache_control");
    }
    let signature = match part {
        // Ours are empty.
        Part::Thinking(_) => block.text("signature", usize::MAX)?.filter(|signature| !signature.is_empty()),
        _ => None,
    };
    if signature.as_deref().is_some_and(|signature| kept(signature).is_none()) {
        ignored.note("messages[].content[].signature");
    }
    block.ignore_rest("messages[].content[]", ignored);
    match part {
        Part::ToolResult(mut result) => {
            result.parts.extend(mark);
            parts.push(Part::ToolResult(result));
        }
        part => {
            parts.push(part);
            parts.extend(signature.map(|data| opaque(Family::Anthropic, SIGNATURE, data)));
            parts.extend(mark);
        }
    }
    Ok(())
}

fn source(block: &mut Fields) -> Result<Media, Failure> {
    let detail = block.text("title", usize::MAX)?;
    let path = block.path("source");
    let mut source = Fields::open(path, block.require("source")?)?;
    let path = source.path("type");
    let media_type = source.text("media_type", NAME_BYTES_MAX)?;
    match source.require("type")? {
        Value::String(kind) if kind == "base64" => {
            let path = source.path("data");
            media::from_base64(&path, &source.require_text("data", usize::MAX)?, media_type, detail)
        }
        Value::String(kind) if kind == "text" => {
            let text = source.require_text("data", usize::MAX)?;
            let source = MediaSource::Bytes(text.into_bytes());
            Ok(Media { source, media_type: media_type.or(Some("text/plain".to_owned())), detail })
        }
        Value::String(kind) if kind == "url" => {
            let path = source.path("url");
            media::from_url(&path, source.require_text("url", usize::MAX)?, detail)
        }
        Value::String(kind) if kind == "file" => {
            let source = MediaSource::File(source.require_text("file_id", NAME_BYTES_MAX)?);
            Ok(Media { source, media_type, detail })
        }
        other => Err(mismatch(path, "\"base64\", \"text\", \"url\" or \"file\"", &other)),
    }
}

fn tool_use(block: &mut Fields, calls: &mut Calls) -> Result<ToolCall, Failure> {
    let id = block.require_text("id", NAME_BYTES_MAX)?;
    let name = block.require_text("name", NAME_BYTES_MAX)?;
    let path = block.path("input");
    let arguments = match block.require("input")? {
        input @ Value::Object(_) => Json(input.to_string()),
        other => return Err(mismatch(path, "an object", &other)),
    };
    calls.made(&id, &name);
    Ok(ToolCall { id, name, arguments })
}

fn tool_result(block: &mut Fields, calls: &mut Calls, ignored: &mut Ignored) -> Result<ToolResult, Failure> {
    let path = block.path("tool_use_id");
    let id = block.require_text("tool_use_id", NAME_BYTES_MAX)?;
    let call = calls.answer(&path, Some(id))?;
    let is_error = block.flag("is_error")?.unwrap_or(false);
    let path = block.path("content");
    let parts = match block.take("content") {
        None => vec![Part::Text(String::new())],
        Some(value) => content(&path, value, calls, ignored)?,
    };
    let stray = |part: &Part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_));
    if let Some(place) = parts.iter().position(stray) {
        let path = format!("{path}[{place}].type");
        let message = format!("`{path}` cannot be inside a tool_result");
        return Err(Failure::invalid(path, message));
    }
    Ok(ToolResult { call, name: None, parts, is_error })
}

/// Blocks that Anthropic's own tools leave in a conversation.
const FOREIGN: &[&str] = &[
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "compaction",
    "container_upload",
    "mcp_tool_result",
    "mcp_tool_use",
    "search_result",
    "server_tool_use",
    "text_editor_code_execution_tool_result",
    "tool_reference",
    "tool_search_tool_result",
    "web_fetch_tool_result",
    "web_search_tool_result",
];

const MESSAGES_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use stack_chat::CacheMark;

    use super::*;

    fn parse_noting(json: &str, ignored: &mut Ignored) -> Result<Vec<Message>, Failure> {
        messages(&mut Fields::parse(json.as_bytes())?, ignored)
    }

    fn parse(json: &str) -> Result<Vec<Message>, Failure> {
        parse_noting(json, &mut Ignored::default())
    }

    fn text(role: Role, text: &str) -> Message {
        Message::new(role, text)
    }

    #[test]
    fn instructions_come_first_and_results_become_messages() {
        let got = parse(
            r#"{"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "t1", "name": "ls", "input": {"b": 1, "a": 2}},
                    {"type": "tool_use", "id": "t2", "name": "ls", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"},
                    {"type": "tool_result", "tool_use_id": "t2", "is_error": true,
                     "content": [{"type": "text", "text": "no"}]},
                    {"type": "text", "text": "And now?"}]}]}"#,
        );
        let call = |id: &str, arguments: &str| {
            Part::ToolCall(ToolCall { id: id.into(), name: "ls".into(), arguments: Json(arguments.into()) })
        };
        let result = |call: &str, text: &str, is_error| {
            let parts = vec![Part::Text(text.into())];
            Message::result(ToolResult { call: call.into(), name: None, parts, is_error })
        };
        let assistant = Message {
            role: Role::Assistant,
            name: None,
            parts: vec![
                Part::Thinking("hm".into()),
                opaque(Family::Anthropic, SIGNATURE, "s".into()),
                Part::Text("Let me see.".into()),
                call("t1", r#"{"b":1,"a":2}"#),
                call("t2", "{}"),
            ],
        };
        assert_eq!(
            got.unwrap(),
            [
                Message {
                    role: Role::System,
                    name: None,
                    parts: vec![Part::Text("Be brief.".into()), Part::CacheMark(CacheMark::FiveMinutes)],
                },
                text(Role::User, "Hi"),
                assistant,
                result("t1", "a.txt", false),
                result("t2", "no", true),
                text(Role::User, "And now?"),
            ]
        );
    }

    #[test]
    fn pictures_and_documents_arrive_and_foreign_blocks_are_kept() {
        let got = parse(
            r#"{"messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQ=="}},
                {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
                {"type": "search_result", "x": 1}]}]}"#,
        );
        let media = |bytes: &[u8], media_type: &str, detail: Option<&str>| Media {
            source: MediaSource::Bytes(bytes.to_vec()),
            media_type: Some(media_type.into()),
            detail: detail.map(str::to_owned),
        };
        let json = Json(r#"{"type":"search_result","x":1}"#.into());
        assert_eq!(
            got.unwrap()[0].parts,
            [
                Part::Image(media(&[1], "image/png", None)),
                Part::Document(media(b"a", "text/plain", Some("t"))),
                Part::Foreign(Foreign { kind: "search_result".into(), json }),
            ]
        );
    }

    #[test]
    fn a_mark_behind_a_result_makes_no_turn_of_its_own() {
        let got = parse(
            r#"{"messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a",
                                              "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]}"#,
        );
        let [_, result] = got.unwrap().try_into().unwrap();
        let parts = vec![Part::Text("a".into()), Part::CacheMark(CacheMark::OneHour)];
        assert_eq!(
            result,
            Message::result(ToolResult { call: "t".into(), name: None, parts, is_error: false })
        );
    }

    #[test]
    fn what_only_its_provider_reads_is_kept_and_listed() {
        let mut ignored = Ignored::default();
        let got = parse_noting(
            r#"{"messages": [{"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": "x"},
                {"type": "thinking", "thinking": "a", "signature": "s"},
                {"type": "text", "text": "b", "cache_control": {}}]}]}"#,
            &mut ignored,
        );
        assert_eq!(
            got.unwrap()[0].parts,
            [
                opaque(Family::Anthropic, REDACTED, "x".into()),
                Part::Thinking("a".into()),
                opaque(Family::Anthropic, SIGNATURE, "s".into()),
                Part::Text("b".into()),
                Part::CacheMark(CacheMark::FiveMinutes),
            ]
        );
        let expected =
            "messages[].content[].cache_control, messages[].content[].data, messages[].content[].signature";
        assert_eq!(ignored.header_value().as_deref(), Some(expected));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let first = |role: &str, block: &str| {
            format!(r#"{{"messages": [{{"role": "{role}", "content": [{block}]}}]}}"#)
        };
        let result = r#"{"type": "tool_result", "tool_use_id": "t"}"#;
        let call = r#"{"type": "tool_use", "id": "t", "name": "f", "input": {}}"#;
        for (json, want) in [
            ("{}".to_owned(), "messages"),
            (r#"{"messages": []}"#.to_owned(), "messages"),
            (r#"{"messages": [7]}"#.to_owned(), "messages[0]"),
            (r#"{"messages": [{"role": "system", "content": "a"}]}"#.to_owned(), "messages[0].role"),
            (r#"{"messages": [{"role": "user"}]}"#.to_owned(), "messages[0].content"),
            (r#"{"system": 1, "messages": []}"#.to_owned(), "system"),
            (r#"{"system": [{"type": "image"}], "messages": []}"#.to_owned(), "system[0].source"),
            (first("user", "1"), "messages[0].content[0]"),
            (first("user", "{}"), "messages[0].content[0].type"),
            (
                first("user", r#"{"type": "text", "text": "a", "cache_control": 1}"#),
                "messages[0].content[0].cache_control",
            ),
            (first("assistant", r#"{"type": "redacted_thinking"}"#), "messages[0].content[0].data"),
            (first("user", r#"{"type": "hologram"}"#), "messages[0].content[0].type"),
            (first("user", r#"{"type": "text"}"#), "messages[0].content[0].text"),
            (
                first("user", r#"{"type": "image", "source": {"type": "x"}}"#),
                "messages[0].content[0].source.type",
            ),
            (first("user", result), "messages[0].content[0].tool_use_id"),
            (first("user", call), "messages[0].content"),
            (first("assistant", &format!("{call}, {result}")), "messages[0].content"),
            (
                first("assistant", r#"{"type": "tool_use", "id": "t", "name": "f", "input": "{}"}"#),
                "messages[0].content[0].input",
            ),
        ] {
            assert_eq!(parse(&json).expect_err(&json).field.as_deref(), Some(want), "{json}");
        }
    }
}
