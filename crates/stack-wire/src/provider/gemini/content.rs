//! The conversation as turns of two roles.

use serde_json::{Map, Value, json};
use stack_chat::{Failure, Media, Message, Opaque, Part, Role, ToolResult, Unused};

use super::SIGNATURE;
use crate::provider::call_ids::CallIds;
use crate::provider::draft::{Draft, arguments, is_instruction, no_place, unknown_role};
use crate::provider::payload::Payload;
use crate::provider::{Change, ThinkingForm};

/// Renders the instructions, which stand apart, and the turns.
pub(super) fn contents(draft: &mut Draft<'_>) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let ids = CallIds::of(draft.messages, usize::MAX);
    let (mut system, mut turns) = (Vec::new(), Vec::<(&str, Vec<Value>)>::new());
    for (index, message) in draft.messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        if is_instruction(message) {
            if !turns.is_empty() {
                draft.change(Change::Moved("system"));
            }
            system.extend(parts(draft, &at, &ids, message)?);
            continue;
        }
        let role = match &message.role {
            Role::Assistant => "model",
            Role::User | Role::Tool => "user",
            other => return Err(unknown_role(index, other)),
        };
        let parts = parts(draft, &at, &ids, message)?;
        match turns.last_mut() {
            Some((last, turn)) if *last == role => turn.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    let turns = turns.into_iter().filter(|(_, parts)| !parts.is_empty());
    let turns: Vec<_> = turns.map(|(role, parts)| json!({"role": role, "parts": parts})).collect();
    if turns.is_empty() {
        return Err(Failure::invalid("messages", "`messages` holds nothing that could be answered"));
    }
    Ok((system, turns))
}

fn parts(draft: &mut Draft<'_>, at: &str, ids: &CallIds, message: &Message) -> Result<Vec<Value>, Failure> {
    let (mut rendered, mut has_call) = (Vec::with_capacity(message.parts.len()), false);
    let speaks = |role: Role| message.role == role;
    for (place, part) in message.parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        let signature = match message.parts.get(place + 1) {
            Some(Part::Opaque(opaque)) if is_own(draft, opaque) => Some(opaque.data.as_str()),
            _ => None,
        };
        let mut object = match part {
            Part::Text(text) | Part::Refusal(text) => {
                // What is signed may be empty.
                if text.is_empty() && signature.is_none() {
                    continue;
                }
                json!({"text": text})
            }
            Part::Thinking(text) => {
                if signature.is_none() {
                    draft.unused(Unused::Reasoning);
                    continue;
                }
                json!({"text": text, "thought": true})
            }
            Part::ToolCall(call) if speaks(Role::Assistant) => {
                let args = arguments(&field, &call.arguments)?;
                json!({"functionCall": {"id": call.id, "name": call.name, "args": args}})
            }
            Part::ToolResult(result) => returned(draft, &field, ids, result)?,
            Part::Image(media) | Part::Audio(media) | Part::Document(media) if speaks(Role::User) => {
                media_part(draft, &field, media)?
            }
            Part::Opaque(opaque) => {
                // One of ours went with the part before it.
                draft.may_send(opaque);
                continue;
            }
            Part::CacheMark(_) => {
                draft.change(Change::Dropped("cache_control"));
                continue;
            }
            part => return Err(no_place(&field, part.noun())),
        };
        let is_first_call = object.get("functionCall").is_some() && !std::mem::replace(&mut has_call, true);
        if let Some(signature) = signature {
            object["thoughtSignature"] = signature.into();
        } else if is_first_call && draft.route.thinking == Some(ThinkingForm::Effort) {
            // A call that another model made has no signature, and newer models refuse it without. This word is
            // documented to stand for one.
            object["thoughtSignature"] = NO_SIGNATURE.into();
            draft.change(Change::Emulated("thoughtSignature"));
        }
        rendered.push(object);
    }
    Ok(rendered)
}

fn is_own(draft: &Draft<'_>, opaque: &Opaque) -> bool {
    opaque.origin == draft.route.origin() && opaque.kind == SIGNATURE
}

fn returned(
    draft: &mut Draft<'_>,
    field: &str,
    ids: &CallIds,
    result: &ToolResult,
) -> Result<Value, Failure> {
    for part in &result.parts {
        match part {
            Part::Text(_) | Part::Refusal(_) => {}
            Part::CacheMark(_) => draft.change(Change::Dropped("cache_control")),
            part => return Err(no_place(field, part.noun())),
        }
    }
    let Some(name) = result.name.as_deref().or_else(|| ids.tool(&result.call)) else {
        let message = format!("`{field}` answers a call that is not in the conversation");
        return Err(Failure::invalid(field, message));
    };
    let text = Part::text(&result.parts).unwrap_or_default();
    let response = if result.is_error { json!({"error": text}) } else { json!({"output": text}) };
    Ok(json!({"functionResponse": {"id": result.call, "name": name, "response": response}}))
}

fn media_part(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    match Payload::of(field, media, draft.route)? {
        Payload::Inline(inline) => {
            Ok(json!({"inlineData": {"mimeType": inline.media_type, "data": inline.base64}}))
        }
        Payload::Url(url) => {
            let mut file = Map::new();
            if let Some(media_type) = &media.media_type {
                file.insert("mimeType".into(), media_type.as_str().into());
            }
            file.insert("fileUri".into(), url.into());
            Ok(json!({"fileData": file}))
        }
    }
}

const NO_SIGNATURE: &str = "skip_thought_signature_validator";
