//! Messages of a conversation.

use serde_json::Value;
use stack_chat::{Failure, Json, Media, MediaSource, Message, Part, Role, ToolCall, ToolResult};

use crate::calls::Calls;
use crate::fields::{Fields, bounded, mismatch};
use crate::opaque::{cache_mark, opaque};
use crate::provider::{Family, THOUGHT_SIGNATURE};
use crate::{Ignored, media};

/// Takes `messages`, which must hold at least one.
pub(crate) fn messages(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Message>, Failure> {
    let values = match fields.require("messages")? {
        Value::Array(values) => values,
        other => return Err(mismatch("messages".into(), "an array of messages", &other)),
    };
    bounded("messages", values.len(), MESSAGES_MAX)?;
    if values.is_empty() {
        return Err(Failure::invalid("messages", "`messages` must hold at least one message"));
    }
    let mut calls = Calls::default();
    let parse =
        |(index, value)| message(Fields::open(format!("messages[{index}]"), value)?, &mut calls, ignored);
    values.into_iter().enumerate().map(parse).collect()
}

fn message(mut fields: Fields, calls: &mut Calls, ignored: &mut Ignored) -> Result<Message, Failure> {
    let role = role(&mut fields)?;
    for name in ["audio", "function_call"] {
        if fields.take(name).is_some() {
            let path = fields.path(name);
            let message = format!("`{path}` is not supported");
            return Err(Failure::unsupported(path, message));
        }
    }
    let content_path = fields.path("content");
    let content = fields.take("content").map(|value| content(&content_path, value, ignored)).transpose()?;
    let name = fields.text("name", NAME_BYTES_MAX)?;
    let thinking = reasoning(&mut fields)?;
    let refusal = fields.text("refusal", usize::MAX)?;
    let called = tool_calls(&mut fields, ignored)?;
    let may_be_silent = role == Role::Assistant && (!called.is_empty() || refusal.is_some());
    if content.is_none() && !may_be_silent {
        let text = format!("`{content_path}` is required, except beside `tool_calls`");
        return Err(Failure::invalid(content_path, text));
    }
    let mut parts = content.unwrap_or_default();
    if role == Role::Tool {
        let path = fields.path("tool_call_id");
        let call = calls.answer(&path, fields.text("tool_call_id", NAME_BYTES_MAX)?)?;
        fields.ignore_rest("messages[]", ignored);
        return Ok(Message::result(ToolResult { call, name, parts, is_error: false }));
    }
    parts.extend(refusal.map(Part::Refusal));
    for part in called {
        if let Part::ToolCall(call) = &part {
            calls.made(&call.id, &call.name);
        }
        parts.push(part);
    }
    parts.splice(0..0, thinking.map(Part::Thinking));
    fields.ignore_rest("messages[]", ignored);
    Ok(Message { role, name, parts })
}

fn role(fields: &mut Fields) -> Result<Role, Failure> {
    let path = fields.path("role");
    match fields.require("role")? {
        Value::String(role) if (1..=NAME_BYTES_MAX).contains(&role.len()) => Ok(Role::from(role.as_str())),
        other => Err(mismatch(path, "the name of a role", &other)),
    }
}

/// Two names are in use for the reasoning of earlier turns.
fn reasoning(fields: &mut Fields) -> Result<Option<String>, Failure> {
    let short = fields.text("reasoning", usize::MAX)?;
    Ok(fields.text("reasoning_content", usize::MAX)?.or(short))
}

/// Reads a text, or a list of parts. An empty list says an empty text.
fn content(path: &str, value: Value, ignored: &mut Ignored) -> Result<Vec<Part>, Failure> {
    match value {
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(parts) if parts.is_empty() => Ok(vec![Part::Text(String::new())]),
        Value::Array(parts) => {
            let mut parsed = Vec::with_capacity(parts.len());
            for (index, value) in parts.into_iter().enumerate() {
                part(Fields::open(format!("{path}[{index}]"), value)?, &mut parsed, ignored)?;
            }
            Ok(parsed)
        }
        other => Err(mismatch(path.to_owned(), "a string or an array of content parts", &other)),
    }
}

/// Reads one part, and the cache mark behind it that clients of several providers send.
fn part(mut part: Fields, parts: &mut Vec<Part>, ignored: &mut Ignored) -> Result<(), Failure> {
    let kind_path = part.path("type");
    let kind = match part.require("type")? {
        Value::String(kind) => kind,
        other => return Err(mismatch(kind_path, "a string", &other)),
    };
    let parsed = match kind.as_str() {
        "text" => Part::Text(part.require_text("text", usize::MAX)?),
        "refusal" => Part::Refusal(part.require_text("refusal", usize::MAX)?),
        "image_url" => Part::Image(image(&mut part)?),
        "input_audio" => {
            let path = part.path("input_audio");
            let mut audio = Fields::open(path, part.require("input_audio")?)?;
            let path = audio.path("data");
            let media_type = audio.text("format", NAME_BYTES_MAX)?.map(|format| format!("audio/{format}"));
            Part::Audio(media::from_base64(
                &path,
                &audio.require_text("data", usize::MAX)?,
                media_type,
                None,
            )?)
        }
        "file" => Part::Document(file(&mut part)?),
        _ => {
            let shown: String = kind.chars().take(32).collect();
            let message = format!("`{kind_path}` is {shown:?}, which no message holds");
            return Err(Failure::unsupported(kind_path, message));
        }
    };
    parts.push(parsed);
    if let Some(mark) = cache_mark(&mut part)? {
        ignored.note("messages[].content[].cache_control");
        parts.push(mark);
    }
    part.ignore_rest("messages[].content[]", ignored);
    Ok(())
}

fn image(part: &mut Fields) -> Result<Media, Failure> {
    let path = part.path("image_url");
    // Some clients send the bare URL.
    match part.require("image_url")? {
        Value::String(url) => media::from_url(&path, url, None),
        value => {
            let mut image = Fields::open(path, value)?;
            let path = image.path("url");
            let detail = image.text("detail", NAME_BYTES_MAX)?;
            media::from_url(&path, image.require_text("url", usize::MAX)?, detail)
        }
    }
}

fn file(part: &mut Fields) -> Result<Media, Failure> {
    let path = part.path("file");
    let mut file = Fields::open(path, part.require("file")?)?;
    let detail = file.text("filename", usize::MAX)?;
    if let Some(id) = file.text("file_id", NAME_BYTES_MAX)? {
        return Ok(Media { source: MediaSource::File(id), media_type: None, detail });
    }
    let path = file.path("file_data");
    media::from_url(&path, file.require_text("file_data", usize::MAX)?, detail)
}

/// Takes the calls, each followed by what its provider wants back with it.
fn tool_calls(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Part>, Failure> {
    let path = fields.path("tool_calls");
    let calls = fields.list("tool_calls", TOOL_CALLS_MAX)?.unwrap_or_default();
    let mut parts = Vec::with_capacity(calls.len());
    for (index, call) in calls.into_iter().enumerate() {
        let call = Fields::open(format!("{path}[{index}]"), call)?;
        let signature = thought_signature(&call);
        parts.push(Part::ToolCall(tool_call(call, ignored)?));
        parts.extend(signature.map(|text| opaque(Family::Gemini, THOUGHT_SIGNATURE, text)));
    }
    Ok(parts)
}

/// Looks for the signature that clients of Gemini carry in this dialect. The field stays among those that nobody takes, and is
/// listed with them, whatever else it may hold.
fn thought_signature(call: &Fields) -> Option<String> {
    let google = call.rest().get("extra_content")?.get("google")?;
    google.get("thought_signature")?.as_str().map(str::to_owned)
}

fn tool_call(mut call: Fields, ignored: &mut Ignored) -> Result<ToolCall, Failure> {
    if let Some(kind) = call.text("type", NAME_BYTES_MAX)?.filter(|kind| kind != "function") {
        let path = call.path("type");
        let message = format!("`{path}` is {kind:?}; only \"function\" is supported");
        return Err(Failure::unsupported(path, message));
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
pub(crate) fn arguments(function: &mut Fields) -> Result<Json, Failure> {
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

    fn parse(json: &str) -> Result<Vec<Message>, Failure> {
        let body = format!("{{\"messages\": {json}}}");
        messages(&mut Fields::parse(body.as_bytes())?, &mut Ignored::default())
    }

    fn field(json: &str) -> String {
        parse(json).expect_err(json).field.expect("an error about a field")
    }

    #[test]
    fn text_comes_in_one_piece_or_in_parts() {
        let parts = parse(
            r#"[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]"#,
        );
        assert_eq!(parts.unwrap()[0].text().as_deref(), Some("a\nb"));
        assert_eq!(parse(r#"[{"role": "user", "content": "a"}]"#).unwrap(), [Message::user("a")]);
    }

    #[test]
    fn what_is_for_providers_stays_where_it_was() {
        let mut ignored = Ignored::default();
        let body = br#"{"messages": [{"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "c2ln"}}}]}]}"#;
        let [user, assistant] =
            messages(&mut Fields::parse(body).unwrap(), &mut ignored).unwrap().try_into().unwrap();
        assert_eq!(user.parts[1], Part::CacheMark(stack_chat::CacheMark::FiveMinutes));
        assert_eq!(assistant.parts[2], opaque(Family::Gemini, THOUGHT_SIGNATURE, "c2ln".into()));
        let listed = "messages[].content[].cache_control, messages[].tool_calls[].extra_content";
        assert_eq!(ignored.header_value().as_deref(), Some(listed));
    }

    #[test]
    fn what_else_a_call_brings_along_is_listed_and_never_refused() {
        for extra in
            [r#""x""#, r#"{"google": 1}"#, r#"{"google": {"thought_signature": 1}}"#, r#"{"other": {}}"#]
        {
            let mut ignored = Ignored::default();
            let body = format!(
                r#"{{"messages": [{{"role": "assistant", "tool_calls": [{{"id": "c",
                    "function": {{"name": "f"}}, "extra_content": {extra}}}]}}]}}"#
            );
            let got = messages(&mut Fields::parse(body.as_bytes()).unwrap(), &mut ignored).unwrap();
            assert_eq!(got[0].parts.len(), 1, "{extra}");
            let listed = "messages[].tool_calls[].extra_content";
            assert_eq!(ignored.header_value().as_deref(), Some(listed), "{extra}");
        }
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
        let arguments = Json(r#"{"b":1,"a":2}"#.into());
        let call = ToolCall { id: "c1".into(), name: "add".into(), arguments };
        assert_eq!(assistant.parts, [Part::Thinking("hm".into()), Part::ToolCall(call)]);
        let parts = vec![Part::Text("3".into())];
        let result = ToolResult { call: "c1".into(), name: Some("add".into()), parts, is_error: false };
        assert_eq!(tool, Message::result(result));
    }

    #[test]
    fn pictures_recordings_and_files_arrive() {
        let got = parse(
            r#"[{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQ==", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "Ag==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f1"}}]}]"#,
        );
        let media = |source, media_type: Option<&str>, detail: Option<&str>| Media {
            source,
            media_type: media_type.map(str::to_owned),
            detail: detail.map(str::to_owned),
        };
        assert_eq!(
            got.unwrap()[0].parts,
            [
                Part::Image(media(MediaSource::Bytes(vec![1]), Some("image/png"), Some("low"))),
                Part::Audio(media(MediaSource::Bytes(vec![2]), Some("audio/wav"), None)),
                Part::Document(media(MediaSource::File("f1".into()), None, None)),
            ]
        );
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
            (r#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "messages[0].content[0].image_url"),
            (
                r#"[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]"#,
                "messages[0].content[0].image_url.url",
            ),
            (r#"[{"role": "user", "content": [{"type": "hologram"}]}]"#, "messages[0].content[0].type"),
            (r#"[{"role": "tool", "content": "3"}]"#, "messages[0].tool_call_id"),
            (r#"[{"role": "tool", "content": "3", "tool_call_id": "c"}]"#, "messages[0].tool_call_id"),
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
