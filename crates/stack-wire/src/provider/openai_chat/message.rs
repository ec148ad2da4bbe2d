//! Messages of requests.

use serde_json::{Map, Value, json};
use stack_chat::{Failure, Media, Message, Part, Role, ToolResult, Unused};

use crate::provider::Change;
use crate::provider::call_ids::CallIds;
use crate::provider::draft::{Draft, no_place, unknown_role};
use crate::provider::payload::Payload;

/// Renders all messages, each in its place.
pub(super) fn messages(draft: &mut Draft<'_>) -> Result<Vec<Value>, Failure> {
    let ids = CallIds::of(draft.messages, ID_CHARS_MAX);
    if ids.are_renamed() {
        draft.change(Change::Renamed("tool_call_id"));
    }
    let mut rendered = Vec::with_capacity(draft.messages.len());
    for (index, message) in draft.messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let object = match &message.role {
            Role::System => said(draft, &at, "system", message)?,
            // Open servers hand the role to a template, and few templates know this one.
            Role::Developer if draft.route.extended => said(draft, &at, "system", message)?,
            Role::Developer => said(draft, &at, "developer", message)?,
            Role::User => said(draft, &at, "user", message)?,
            Role::Assistant => answered(draft, &at, &ids, message)?,
            Role::Tool => {
                for part in &message.parts {
                    let Part::ToolResult(result) = part else { return Err(no_place(&at, part.noun())) };
                    rendered.push(returned(draft, &at, &ids, result)?);
                }
                continue;
            }
            other @ Role::Other(_) => return Err(unknown_role(index, other)),
        };
        rendered.push(object);
    }
    Ok(rendered)
}

/// Renders what a person or the operator says.
fn said(draft: &mut Draft<'_>, at: &str, role: &str, message: &Message) -> Result<Value, Failure> {
    let mut content = Vec::with_capacity(message.parts.len());
    for (place, part) in message.parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        content.extend(match part {
            Part::Image(media) if role == "user" => Some(image(draft, &field, media)?),
            Part::Audio(media) if role == "user" => Some(audio(draft, &field, media)?),
            Part::Document(media) if role == "user" => Some(document(draft, &field, media)?),
            part => text(draft, &field, part)?,
        });
    }
    let mut object = Map::new();
    object.insert("role".into(), role.into());
    if let Some(name) = &message.name {
        object.insert("name".into(), name.as_str().into());
    }
    object.insert("content".into(), plain(content));
    Ok(object.into())
}

/// Renders what the model said. What it thought stays here: the interface has no place for it.
fn answered(draft: &mut Draft<'_>, at: &str, ids: &CallIds, message: &Message) -> Result<Value, Failure> {
    let (mut content, mut calls, mut refusal) = (Vec::new(), Vec::new(), String::new());
    for (place, part) in message.parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        match part {
            Part::ToolCall(call) => {
                let arguments = crate::answer::arguments(&call.arguments.0);
                let function = json!({"name": call.name, "arguments": arguments});
                calls.push(json!({"id": ids.get(&call.id), "type": "function", "function": function}));
            }
            Part::Refusal(text) => refusal.push_str(text),
            Part::Thinking(_) => draft.unused(Unused::Reasoning),
            part => content.extend(text(draft, &field, part)?),
        }
    }
    let mut object = Map::new();
    object.insert("role".into(), "assistant".into());
    if let Some(name) = &message.name {
        object.insert("name".into(), name.as_str().into());
    }
    object.insert("content".into(), if content.is_empty() { Value::Null } else { plain(content) });
    if !refusal.is_empty() {
        object.insert("refusal".into(), refusal.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
    Ok(object.into())
}

fn returned(draft: &mut Draft<'_>, at: &str, ids: &CallIds, result: &ToolResult) -> Result<Value, Failure> {
    if result.is_error {
        draft.unused(Unused::ToolErrors);
    }
    let mut content = Vec::with_capacity(result.parts.len());
    for (place, part) in result.parts.iter().enumerate() {
        content.extend(text(draft, &format!("{at}.content[{place}]"), part)?);
    }
    Ok(json!({"role": "tool", "tool_call_id": ids.get(&result.call), "content": plain(content)}))
}

/// Renders a text. Nothing comes of marks, and of what another interface wants back.
fn text(draft: &mut Draft<'_>, field: &str, part: &Part) -> Result<Option<Value>, Failure> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Ok(Some(json!({"type": "text", "text": text}))),
        Part::CacheMark(_) => {
            draft.change(Change::Dropped("cache_control"));
            Ok(None)
        }
        Part::Opaque(opaque) => {
            draft.change(Change::OpaqueDropped(opaque.origin.clone()));
            Ok(None)
        }
        part => Err(no_place(field, part.noun())),
    }
}

fn image(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let mut image = Map::new();
    image.insert("url".into(), Payload::of(field, media, draft.route)?.into_url().into());
    if let Some(detail) = media.detail.as_deref().filter(|detail| DETAILS.contains(detail)) {
        image.insert("detail".into(), detail.into());
    }
    Ok(json!({"type": "image_url", "image_url": image}))
}

fn audio(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let inline = Payload::inline(field, media, draft.route)?;
    let format = match inline.media_type.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        other => {
            let message = format!("`{field}` is {other:?}; this provider takes wav and mp3");
            return Err(Failure::unsupported(field, message));
        }
    };
    Ok(json!({"type": "input_audio", "input_audio": {"data": inline.base64, "format": format}}))
}

fn document(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let inline = Payload::inline(field, media, draft.route)?;
    let name = media.detail.as_deref().unwrap_or("document");
    Ok(json!({"type": "file", "file": {"filename": name, "file_data": inline.into_url()}}))
}

/// A single text needs no list, and more servers understand it without.
fn plain(mut content: Vec<Value>) -> Value {
    match content.as_mut_slice() {
        [] => Value::from(""),
        [only] if only["type"] == "text" => only["text"].take(),
        _ => content.into(),
    }
}

const DETAILS: [&str; 3] = ["low", "high", "auto"];
/// OpenAI refuses longer identifiers.
const ID_CHARS_MAX: usize = 40;
