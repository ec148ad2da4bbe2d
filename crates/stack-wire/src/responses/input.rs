//! Items of a conversation.

use serde_json::{Value, json};
use stack_chat::{Failure, Foreign, Json, Media, MediaSource, Message, Part, Role, ToolCall, ToolResult};

use super::recall::{PREVIOUS, Recall};
use super::stored::{Find, StoredInput};
use crate::calls::Calls;
use crate::fields::{Fields, bounded, mismatch};
use crate::opaque::{kept, opaque};
use crate::openai::arguments;
use crate::provider::{Family, REASONING};
use crate::{Ignored, media};

/// A conversation while it is read.
pub(super) struct Conversation<'a> {
    pub(super) stored: Option<Recall<'a>>,
    messages: Vec<Message>,
    /// What the model thought, said and called since anybody else spoke; it becomes one message.
    assistant: Vec<Part>,
    calls: Calls,
    ignored: &'a mut Ignored,
}

/// Takes `instructions`, `previous_response_id` and `input`, which must say something. Also returns the items, where they are
/// to be stored.
pub(super) fn messages(
    fields: &mut Fields,
    find: Option<&Find<'_>>,
    is_stored: bool,
    ignored: &mut Ignored,
) -> Result<(Vec<Message>, Option<StoredInput>), Failure> {
    let mut conversation = Conversation {
        stored: find.map(Recall::new),
        messages: Vec::new(),
        assistant: Vec::new(),
        calls: Calls::default(),
        ignored,
    };
    if let Some(instructions) = fields.text("instructions", usize::MAX)? {
        conversation.messages.push(Message::new(Role::System, instructions));
    }
    let earlier = match fields.text(PREVIOUS, NAME_BYTES_MAX)? {
        Some(previous) => conversation.earlier(&previous)?,
        None => Vec::new(),
    };
    let items = match fields.require("input")? {
        Value::String(text) => vec![json!({"role": "user", "content": text})],
        Value::Array(items) if items.is_empty() => {
            return Err(Failure::invalid("input", "`input` must hold at least one item"));
        }
        Value::Array(items) => items,
        other => return Err(mismatch("input".into(), "a string or an array of items", &other)),
    };
    bounded("input", earlier.len() + items.len(), ITEMS_MAX)?;
    let mut stored = is_stored.then(|| StoredInput::after(earlier));
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("input[{index}]");
        if let Some(recalled) = conversation.resolve(&path, &item)? {
            conversation.item(path, recalled.value())?;
            stored.iter_mut().for_each(|stored| stored.recalled(&recalled));
        } else {
            let kept = stored.is_some().then(|| item.clone());
            conversation.item(path, item)?;
            stored.iter_mut().zip(kept).for_each(|(stored, item)| stored.add(item));
        }
    }
    conversation.flush();
    Ok((conversation.messages, stored))
}

impl Conversation<'_> {
    /// Reads one item.
    pub(super) fn item(&mut self, at: String, item: Value) -> Result<(), Failure> {
        let whole = returns_whole(&item).then(|| Json(item.to_string()));
        let mut item = Fields::open(at, item)?;
        let path = item.path("type");
        let kind = item.text("type", NAME_BYTES_MAX)?;
        match kind.as_deref() {
            None | Some("message") => self.message(&mut item)?,
            Some("reasoning") => self.reasoning(&mut item, whole)?,
            Some("function_call") => {
                let arguments = arguments(&mut item)?;
                self.call(&mut item, arguments)?;
            }
            Some("custom_tool_call") => {
                let input = item.require_text("input", usize::MAX)?;
                self.call(&mut item, Json(json!({"input": input}).to_string()))?;
            }
            Some("function_call_output" | "custom_tool_call_output") => self.result(&mut item)?,
            Some(kind) => {
                if let Some(json) = whole {
                    self.assistant.push(Part::Foreign(Foreign { kind: kind.to_owned(), json }));
                    return Ok(());
                }
                let shown: String = kind.chars().take(32).collect();
                let message = format!("`{path}` is {shown:?}, which is no item of a conversation");
                return Err(Failure::invalid(path, message));
            }
        }
        for known in ["id", "status", "phase"] {
            item.take(known);
        }
        item.ignore_rest("input[]", self.ignored);
        Ok(())
    }

    fn message(&mut self, item: &mut Fields) -> Result<(), Failure> {
        let path = item.path("role");
        let role = match item.require("role")? {
            Value::String(role) if ROLES.contains(&role.as_str()) => Role::from(role.as_str()),
            other => {
                return Err(mismatch(path, "\"user\", \"assistant\", \"system\" or \"developer\"", &other));
            }
        };
        let path = item.path("content");
        let parts = self.content(&path, item.require("content")?)?;
        if role == Role::Assistant {
            self.assistant.extend(parts);
        } else {
            self.flush();
            self.messages.push(Message { role, name: None, parts });
        }
        Ok(())
    }

    /// Takes what the model thought: its own words where they are there, else what sums them up. What is encrypted stays
    /// with the item that it belongs to, which is given as a `whole` then.
    fn reasoning(&mut self, item: &mut Fields, whole: Option<Json>) -> Result<(), Failure> {
        let mut texts = Vec::new();
        for name in ["content", "summary"] {
            let path = item.path(name);
            for (index, part) in item.list(name, PARTS_MAX)?.unwrap_or_default().into_iter().enumerate() {
                let mut part = Fields::open(format!("{path}[{index}]"), part)?;
                let text = part.require_text("text", usize::MAX)?;
                if name == "content" || texts.is_empty() {
                    texts.push(text);
                }
            }
        }
        self.assistant.extend((!texts.is_empty()).then(|| Part::Thinking(texts.join("\n"))));
        let encrypted = item.text(ENCRYPTED, usize::MAX)?.filter(|text| !text.is_empty());
        if let Some(opaque) = encrypted.as_deref().and_then(kept) {
            self.assistant.push(Part::Opaque(opaque));
        } else if let (Some(_), Some(Json(whole))) = (encrypted, whole) {
            self.ignored.note("input[].encrypted_content");
            self.assistant.push(opaque(Family::OpenaiResponses, REASONING, whole));
        }
        Ok(())
    }

    fn call(&mut self, item: &mut Fields, arguments: Json) -> Result<(), Failure> {
        let id = item.require_text("call_id", NAME_BYTES_MAX)?;
        let name = item.require_text("name", NAME_BYTES_MAX)?;
        self.calls.made(&id, &name);
        self.assistant.push(Part::ToolCall(ToolCall { id, name, arguments }));
        Ok(())
    }

    fn result(&mut self, item: &mut Fields) -> Result<(), Failure> {
        let path = item.path("call_id");
        let id = item.require_text("call_id", NAME_BYTES_MAX)?;
        let call = self.calls.answer(&path, Some(id))?;
        let path = item.path("output");
        let parts = self.content(&path, item.require("output")?)?;
        self.flush();
        self.messages.push(Message::result(ToolResult { call, name: None, parts, is_error: false }));
        Ok(())
    }

    fn content(&mut self, path: &str, value: Value) -> Result<Vec<Part>, Failure> {
        match value {
            Value::String(text) => Ok(vec![Part::Text(text)]),
            Value::Array(parts) => {
                let parse =
                    |(index, value)| part(Fields::open(format!("{path}[{index}]"), value)?, self.ignored);
                parts.into_iter().enumerate().map(parse).collect()
            }
            other => Err(mismatch(path.to_owned(), "a string or an array of content parts", &other)),
        }
    }

    fn flush(&mut self) {
        if !self.assistant.is_empty() {
            let parts = std::mem::take(&mut self.assistant);
            self.messages.push(Message { role: Role::Assistant, name: None, parts });
        }
    }
}

/// Tells whether an item goes back to its provider as it came.
fn returns_whole(item: &Value) -> bool {
    match item["type"].as_str() {
        Some("reasoning") => item[ENCRYPTED].is_string(),
        Some(kind) => FOREIGN.contains(&kind),
        None => false,
    }
}

fn part(mut part: Fields, ignored: &mut Ignored) -> Result<Part, Failure> {
    let path = part.path("type");
    let kind = match part.require("type")? {
        Value::String(kind) => kind,
        other => return Err(mismatch(path, "a string", &other)),
    };
    let parsed = match kind.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" => {
            if part.take("annotations").is_some_and(|sources| sources != json!([])) {
                ignored.note("input[].content[].annotations");
            }
            part.take("logprobs");
            Part::Text(part.require_text("text", usize::MAX)?)
        }
        "refusal" => Part::Refusal(part.require_text("refusal", usize::MAX)?),
        "input_image" => {
            let detail = part.text("detail", NAME_BYTES_MAX)?;
            Part::Image(media_at(&mut part, "image_url", None, detail)?)
        }
        "input_file" => {
            let name = part.text("filename", usize::MAX)?;
            Part::Document(media_at(&mut part, "file_url", Some("file_data"), name)?)
        }
        _ => {
            let shown: String = kind.chars().take(32).collect();
            let message = format!("`{path}` is {shown:?}, which no message holds");
            return Err(Failure::unsupported(path, message));
        }
    };
    part.ignore_rest("input[].content[]", ignored);
    Ok(parsed)
}

/// Takes a file by its identifier, its data, or its URL.
fn media_at(
    part: &mut Fields,
    url: &str,
    data: Option<&str>,
    detail: Option<String>,
) -> Result<Media, Failure> {
    if let Some(id) = part.text("file_id", NAME_BYTES_MAX)? {
        return Ok(Media { source: MediaSource::File(id), media_type: None, detail });
    }
    let given = data.map(|name| part.text(name, usize::MAX)).transpose()?.flatten();
    if let (Some(name), Some(text)) = (data, given) {
        return media::from_url(&part.path(name), text, detail);
    }
    let path = part.path(url);
    media::from_url(&path, part.require_text(url, usize::MAX)?, detail)
}

const ENCRYPTED: &str = "encrypted_content";
const ROLES: &[&str] = &["user", "assistant", "system", "developer"];
/// Items that OpenAI's own tools leave in a conversation.
const FOREIGN: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "shell_call",
    "shell_call_output",
    "web_search_call",
];
const ITEMS_MAX: usize = 10_000;
const PARTS_MAX: usize = 1024;
pub(super) const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_noting(json: &str, ignored: &mut Ignored) -> Result<Vec<Message>, Failure> {
        messages(&mut Fields::parse(json.as_bytes())?, None, false, ignored).map(|(messages, _)| messages)
    }

    fn parse(json: &str) -> Result<Vec<Message>, Failure> {
        parse_noting(json, &mut Ignored::default())
    }

    #[test]
    fn what_the_model_did_between_two_others_is_one_message() {
        let mut ignored = Ignored::default();
        let got = parse_noting(
            r#"{"instructions": "Be brief.", "input": [
                {"role": "developer", "content": "Use tools."},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ls"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "short"}],
                 "content": [{"type": "reasoning_text", "text": "long"}], "encrypted_content": "x"},
                {"type": "message", "role": "assistant", "status": "completed", "id": "msg_1",
                 "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}]},
                {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{\"b\":1,\"a\":2}"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** é"},
                {"type": "function_call_output", "call_id": "c1", "output": "a.txt"},
                {"type": "custom_tool_call_output", "call_id": "c2",
                 "output": [{"type": "input_text", "text": "done"}]}]}"#,
            &mut ignored,
        );
        let call = |id: &str, name: &str, arguments: &str| {
            Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: Json(arguments.into()) })
        };
        let result = |call: &str, text: &str| {
            let parts = vec![Part::Text(text.into())];
            Message::result(ToolResult { call: call.into(), name: None, parts, is_error: false })
        };
        let encrypted = r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}],"encrypted_content":"x"}"#;
        let parts = vec![
            Part::Thinking("long".into()),
            opaque(Family::OpenaiResponses, REASONING, encrypted.to_owned()),
            Part::Text("Let me see.".into()),
            call("c1", "ls", r#"{"b":1,"a":2}"#),
            call("c2", "patch", r#"{"input":"*** é"}"#),
        ];
        assert_eq!(
            got.unwrap(),
            [
                Message::new(Role::System, "Be brief."),
                Message::new(Role::Developer, "Use tools."),
                Message::user("ls"),
                Message { role: Role::Assistant, name: None, parts },
                result("c1", "a.txt"),
                result("c2", "done"),
            ]
        );
        assert_eq!(ignored.header_value().as_deref(), Some("input[].encrypted_content"));
    }

    #[test]
    fn pictures_and_files_arrive_and_foreign_items_are_kept() {
        let got = parse(
            r#"{"input": [{"role": "user", "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,AQ==", "detail": "low"},
                {"type": "input_file", "file_id": "f1"}]},
                {"type": "web_search_call", "id": "w"}]}"#,
        );
        let [user, assistant] = got.unwrap().try_into().unwrap();
        assert_eq!(
            user.parts,
            [
                Part::Image(Media {
                    source: MediaSource::Bytes(vec![1]),
                    media_type: Some("image/png".into()),
                    detail: Some("low".into()),
                }),
                Part::Document(Media {
                    source: MediaSource::File("f1".into()),
                    media_type: None,
                    detail: None
                }),
            ]
        );
        assert!(
            matches!(&assistant.parts[..], [Part::Foreign(foreign)] if foreign.kind == "web_search_call")
        );
    }

    #[test]
    fn the_item_at_fault_is_named() {
        for (input, want) in [
            ("[]", "input"),
            ("7", "input"),
            ("[7]", "input[0]"),
            ("[{}]", "input[0].role"),
            (r#"[{"type": 1}]"#, "input[0].type"),
            (r#"[{"type": "hologram"}]"#, "input[0].type"),
            (r#"[{"type": "item_reference", "id": "x"}]"#, "input[0].id"),
            (r#"[{"role": "tool", "content": "a"}]"#, "input[0].role"),
            (r#"[{"role": "user"}]"#, "input[0].content"),
            (r#"[{"role": "user", "content": [{"type": "hologram"}]}]"#, "input[0].content[0].type"),
            (r#"[{"role": "user", "content": [{"type": "input_image"}]}]"#, "input[0].content[0].image_url"),
            (r#"[{"type": "function_call", "name": "f"}]"#, "input[0].call_id"),
            (
                r#"[{"type": "function_call", "call_id": "c", "name": "f", "arguments": "["}]"#,
                "input[0].arguments",
            ),
            (r#"[{"type": "function_call_output", "call_id": "c", "output": "a"}]"#, "input[0].call_id"),
            (r#"[{"type": "reasoning", "summary": [{}]}]"#, "input[0].summary[0].text"),
        ] {
            let failure = parse(&format!("{{\"input\": {input}}}")).expect_err(input);
            assert_eq!(failure.field.as_deref(), Some(want), "{input}");
        }
        assert_eq!(parse("{}").unwrap_err().field.as_deref(), Some("input"));
    }
}
