//! Messages of a conversation.

use serde_json::Value;
use stack_chat::{Failure, Message, Part, Role, ToolCall, ToolResult};

use crate::calls::Calls;
use crate::fields::{Fields, bounded, mismatch};
use crate::openai::arguments;
use crate::{Ignored, media};

/// Takes `messages`; without any, or with an empty list, the request only asks that the model is there.
pub(super) fn messages(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Message>, Failure> {
    let values = fields.list("messages", MESSAGES_MAX)?.unwrap_or_default();
    let mut calls = Calls::default();
    let mut count = 0;
    let parse = |(index, value)| {
        message(Fields::open(format!("messages[{index}]"), value)?, &mut calls, &mut count, ignored)
    };
    values.into_iter().enumerate().map(parse).collect()
}

/// Takes `images`.
pub(super) fn images(fields: &mut Fields) -> Result<Vec<Part>, Failure> {
    let path = fields.path("images");
    let image = |(index, value)| {
        let path = format!("{path}[{index}]");
        match value {
            Value::String(text) => media::from_base64(&path, &text, None, None).map(Part::Image),
            other => Err(mismatch(path, "an image in Base64", &other)),
        }
    };
    fields.list("images", IMAGES_MAX)?.unwrap_or_default().into_iter().enumerate().map(image).collect()
}

/// Reads one message. `count` numbers the calls that have no identifier of their own.
fn message(
    mut fields: Fields,
    calls: &mut Calls,
    count: &mut u32,
    ignored: &mut Ignored,
) -> Result<Message, Failure> {
    let path = fields.path("role");
    let role = match fields.require("role")? {
        Value::String(role) if (1..=NAME_BYTES_MAX).contains(&role.len()) => Role::from(role.as_str()),
        other => return Err(mismatch(path, "the name of a role", &other)),
    };
    let content = fields.text("content", usize::MAX)?;
    let thinking = fields.text("thinking", usize::MAX)?;
    let images = images(&mut fields)?;
    let tool_calls = tool_calls(&mut fields, calls, count, ignored)?;
    let older_name = fields.text("name", NAME_BYTES_MAX)?;
    let name = fields.text("tool_name", NAME_BYTES_MAX)?.or(older_name);
    let is_silent = tool_calls.is_empty() && images.is_empty() && thinking.is_none();
    let text = content.or_else(|| is_silent.then(String::new)).map(Part::Text);
    if role == Role::Tool {
        let path = fields.path("tool_call_id");
        let call = match fields.text("tool_call_id", NAME_BYTES_MAX)? {
            Some(id) => calls.answer(&path, Some(id))?,
            None => calls.answer_by(&fields.path("tool_name"), name.as_deref())?,
        };
        fields.ignore_rest("messages[]", ignored);
        let parts = text.into_iter().chain(images).collect();
        return Ok(Message::result(ToolResult { call, name, parts, is_error: false }));
    }
    fields.ignore_rest("messages[]", ignored);
    let thinking = thinking.filter(|thinking| !thinking.is_empty()).map(Part::Thinking);
    let calls = tool_calls.into_iter().map(Part::ToolCall);
    let parts = thinking.into_iter().chain(text).chain(images).chain(calls).collect();
    Ok(Message { role, name, parts })
}

fn tool_calls(
    fields: &mut Fields,
    calls: &mut Calls,
    count: &mut u32,
    ignored: &mut Ignored,
) -> Result<Vec<ToolCall>, Failure> {
    let path = fields.path("tool_calls");
    let values = fields.list("tool_calls", TOOL_CALLS_MAX)?.unwrap_or_default();
    bounded(&path, values.len(), TOOL_CALLS_MAX)?;
    let mut parsed = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let mut call = Fields::open(format!("{path}[{index}]"), value)?;
        let path = call.path("function");
        let mut function = Fields::open(path, call.require("function")?)?;
        let name = function.require_text("name", NAME_BYTES_MAX)?;
        let arguments = arguments(&mut function)?;
        function.take("index");
        function.ignore_rest("messages[].tool_calls[].function", ignored);
        let id = call.text("id", NAME_BYTES_MAX)?.filter(|id| !id.is_empty());
        call.take("type");
        call.ignore_rest("messages[].tool_calls[]", ignored);
        *count += 1;
        let id = id.unwrap_or_else(|| format!("call_{count}"));
        calls.made(&id, &name);
        parsed.push(ToolCall { id, name, arguments });
    }
    Ok(parsed)
}

const MESSAGES_MAX: usize = 10_000;
const TOOL_CALLS_MAX: usize = 1024;
const IMAGES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use stack_chat::{Json, Media, MediaSource};

    use super::*;

    fn parse(json: &str) -> Result<Vec<Message>, Failure> {
        let body = format!("{{\"messages\": {json}}}");
        messages(&mut Fields::parse(body.as_bytes())?, &mut Ignored::default())
    }

    #[test]
    fn results_find_their_calls_by_the_name_of_the_tool() {
        let got = parse(
            r#"[{"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
                    {"function": {"name": "a", "arguments": {"x": 1}}},
                    {"function": {"index": 1, "name": "b", "arguments": {}}}]},
                {"role": "tool", "tool_name": "b", "content": "2"},
                {"role": "tool", "content": "1"}]"#,
        );
        let [user, assistant, second, first] = got.unwrap().try_into().unwrap();
        assert_eq!(user, Message::user("Hi"));
        let call = |id: &str, name: &str, arguments: &str| {
            let arguments = Json(arguments.into());
            Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments })
        };
        assert_eq!(
            assistant.parts,
            [
                Part::Thinking("hm".into()),
                Part::Text(String::new()),
                call("call_1", "a", r#"{"x":1}"#),
                call("call_2", "b", "{}")
            ]
        );
        let result = |call: &str, name: Option<&str>, text: &str| {
            let (name, parts) = (name.map(str::to_owned), vec![Part::Text(text.into())]);
            Message::result(ToolResult { call: call.into(), name, parts, is_error: false })
        };
        assert_eq!(second, result("call_2", Some("b"), "2"));
        assert_eq!(first, result("call_1", None, "1"));
    }

    #[test]
    fn pictures_arrive() {
        let got = parse(r#"[{"role": "user", "content": "a", "images": ["AQ=="]}]"#).unwrap();
        let source = MediaSource::Bytes(vec![1]);
        let image = Part::Image(Media { source, media_type: None, detail: None });
        assert_eq!(got[0].parts, [Part::Text("a".into()), image]);
    }

    #[test]
    fn the_message_at_fault_is_named() {
        for (json, want) in [
            ("7", "messages"),
            ("[7]", "messages[0]"),
            (r#"[{"content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "user", "content": []}]"#, "messages[0].content"),
            (r#"[{"role": "user", "images": "AQ=="}]"#, "messages[0].images"),
            (r#"[{"role": "user", "images": ["%"]}]"#, "messages[0].images[0]"),
            (r#"[{"role": "tool", "content": "a"}]"#, "messages[0].tool_name"),
            (r#"[{"role": "tool", "content": "a", "tool_call_id": "c"}]"#, "messages[0].tool_call_id"),
            (r#"[{"role": "assistant", "tool_calls": [{}]}]"#, "messages[0].tool_calls[0].function"),
            (
                r#"[{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}]"#,
                "messages[0].tool_calls[0].function.arguments",
            ),
        ] {
            assert_eq!(parse(json).expect_err(json).field.as_deref(), Some(want), "{json}");
        }
    }
}
