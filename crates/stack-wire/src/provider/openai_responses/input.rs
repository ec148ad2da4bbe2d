//! The conversation as a list of items.

use serde_json::{Map, Value, json};
use stack_chat::{Failure, Media, Opaque, Part, Role, ToolResult, Unused};

use super::REASONING;
use crate::provider::Change;
use crate::provider::call_ids::CallIds;
use crate::provider::draft::{Draft, no_place, unknown_role};
use crate::provider::payload::Payload;

/// Renders the instructions that a conversation begins with, and its items.
pub(super) fn input(draft: &mut Draft<'_>) -> Result<(Option<String>, Vec<Value>), Failure> {
    let ids = CallIds::of(draft.messages, ID_CHARS_MAX);
    if ids.are_renamed() {
        draft.change(Change::Renamed("call_id"));
    }
    let (mut instructions, mut items) = (Vec::new(), Vec::new());
    for (index, message) in draft.messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        match &message.role {
            Role::System | Role::Developer => {
                let content = content(draft, &at, &message.parts)?;
                if items.is_empty() {
                    instructions.extend(message.text());
                } else {
                    items.push(json!({"type": "message", "role": "developer", "content": content}));
                }
            }
            Role::User => {
                let content = content(draft, &at, &message.parts)?;
                items.push(json!({"type": "message", "role": "user", "content": content}));
            }
            Role::Assistant => answered(draft, &at, &ids, &message.parts, &mut items)?,
            Role::Tool => {
                for part in &message.parts {
                    let Part::ToolResult(result) = part else { return Err(no_place(&at, part.noun())) };
                    items.push(returned(draft, &at, &ids, result)?);
                }
            }
            other @ Role::Other(_) => return Err(unknown_role(index, other)),
        }
    }
    if items.is_empty() {
        return Err(Failure::invalid("messages", "`messages` holds nothing that could be answered"));
    }
    Ok(((!instructions.is_empty()).then(|| instructions.join("\n\n")), items))
}

/// Renders what the model said as one item for each thing that it did, in their order.
fn answered(
    draft: &mut Draft<'_>,
    at: &str,
    ids: &CallIds,
    parts: &[Part],
    items: &mut Vec<Value>,
) -> Result<(), Failure> {
    // A thought without the deed after it is refused, so it waits for one.
    let mut thoughts = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        let item = match part {
            Part::Text(text) if text.is_empty() => continue,
            Part::Text(text) => {
                let content = [json!({"type": "output_text", "text": text, "annotations": []})];
                json!({"type": "message", "role": "assistant", "content": content})
            }
            Part::Refusal(text) => {
                let content = [json!({"type": "refusal", "refusal": text})];
                json!({"type": "message", "role": "assistant", "content": content})
            }
            Part::ToolCall(call) => json!({
                "type": "function_call",
                "call_id": ids.get(&call.id),
                "name": call.name,
                "arguments": crate::answer::arguments(&call.arguments.0),
            }),
            Part::Thinking(_) => {
                let is_kept =
                    matches!(parts.get(place + 1), Some(Part::Opaque(o)) if o.origin == draft.route.origin());
                if !is_kept {
                    draft.unused(Unused::Reasoning);
                }
                continue;
            }
            Part::Opaque(opaque) => {
                thoughts.extend(thought(draft, opaque));
                continue;
            }
            Part::CacheMark(_) => {
                draft.change(Change::Dropped("cache_control"));
                continue;
            }
            part => return Err(no_place(&field, part.noun())),
        };
        items.append(&mut thoughts);
        items.push(item);
    }
    if !thoughts.is_empty() {
        draft.unused(Unused::Reasoning);
    }
    Ok(())
}

/// Returns the reasoning item that an opaque part holds, as it came.
fn thought(draft: &mut Draft<'_>, opaque: &Opaque) -> Option<Value> {
    if !draft.may_send(opaque) || opaque.kind != REASONING {
        return None;
    }
    let item = serde_json::from_str(&opaque.data).ok().filter(Value::is_object);
    if item.is_none() {
        draft.change(Change::OpaqueDropped(opaque.origin.clone()));
    }
    item
}

fn returned(draft: &mut Draft<'_>, at: &str, ids: &CallIds, result: &ToolResult) -> Result<Value, Failure> {
    if result.is_error {
        draft.unused(Unused::ToolErrors);
    }
    let mut content = content(draft, at, &result.parts)?;
    let output = match content.as_mut_slice() {
        [] => Value::from(""),
        [only] if only["type"] == "input_text" => only["text"].take(),
        _ => content.into(),
    };
    Ok(json!({"type": "function_call_output", "call_id": ids.get(&result.call), "output": output}))
}

/// Renders what is said to the model.
fn content(draft: &mut Draft<'_>, at: &str, parts: &[Part]) -> Result<Vec<Value>, Failure> {
    let mut content = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                content.push(json!({"type": "input_text", "text": text}));
            }
            Part::Image(media) => content.push(image(draft, &field, media)?),
            Part::Document(media) => content.push(document(draft, &field, media)?),
            Part::CacheMark(_) => draft.change(Change::Dropped("cache_control")),
            Part::Opaque(opaque) => draft.change(Change::OpaqueDropped(opaque.origin.clone())),
            part => return Err(no_place(&field, part.noun())),
        }
    }
    Ok(content)
}

fn image(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let url = Payload::of(field, media, draft.route)?.into_url();
    let detail = media.detail.as_deref().filter(|detail| DETAILS.contains(detail)).unwrap_or("auto");
    Ok(json!({"type": "input_image", "image_url": url, "detail": detail}))
}

fn document(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let mut file = Map::new();
    file.insert("type".into(), "input_file".into());
    match Payload::of(field, media, draft.route)? {
        Payload::Inline(inline) => {
            let name = media.detail.as_deref().unwrap_or("document");
            file.insert("filename".into(), name.into());
            file.insert("file_data".into(), inline.into_url().into());
        }
        Payload::Url(url) => {
            file.insert("file_url".into(), url.into());
        }
    }
    Ok(file.into())
}

const DETAILS: [&str; 3] = ["low", "high", "auto"];
/// OpenAI refuses longer identifiers.
const ID_CHARS_MAX: usize = 64;
