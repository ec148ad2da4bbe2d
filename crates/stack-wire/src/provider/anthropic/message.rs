//! Messages of requests: turns that alternate between two roles.

use serde_json::{Value, json};
use stack_chat::{CacheMark, Failure, Media, Message, Part, Role, ToolResult, Unused};

use super::{REDACTED, SIGNATURE};
use crate::provider::Change;
use crate::provider::call_ids::CallIds;
use crate::provider::draft::{Draft, arguments, is_instruction, no_place, unknown_role};
use crate::provider::payload::Payload;

/// Renders the instructions, which stand apart, and the turns.
pub(super) fn messages(draft: &mut Draft<'_>) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let ids = CallIds::of(draft.messages, ID_CHARS_MAX);
    if ids.are_renamed() {
        draft.change(Change::Renamed("tool_use.id"));
    }
    let (mut system, mut turns) = (Vec::new(), Vec::<Turn>::new());
    for (index, message) in draft.messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        if is_instruction(message) {
            if !turns.is_empty() {
                draft.change(Change::Moved("system"));
            }
            for (place, part) in message.parts.iter().enumerate() {
                plain(draft, &format!("{at}.content[{place}]"), part, &mut system)?;
            }
            continue;
        }
        let role = match &message.role {
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
            other => return Err(unknown_role(index, other)),
        };
        if turns.last().is_none_or(|turn| turn.role != role) {
            turns.push(Turn { role, results: Vec::new(), blocks: Vec::new() });
        }
        if let Some(turn) = turns.last_mut() {
            turn.add(draft, &at, &ids, message)?;
        }
    }
    let turns: Vec<_> = turns.into_iter().filter_map(Turn::rendered).collect();
    if turns.is_empty() {
        return Err(Failure::invalid("messages", "`messages` holds nothing that could be answered"));
    }
    Ok((system, turns))
}

/// What one side says before the other one speaks again.
struct Turn {
    role: &'static str,
    /// Results of tools, which the interface wants together and before anything else.
    results: Vec<Value>,
    blocks: Vec<Value>,
}

impl Turn {
    fn add(
        &mut self,
        draft: &mut Draft<'_>,
        at: &str,
        ids: &CallIds,
        message: &Message,
    ) -> Result<(), Failure> {
        for (place, part) in message.parts.iter().enumerate() {
            let field = format!("{at}.content[{place}]");
            match (part, &message.role) {
                (Part::ToolResult(result), Role::Tool | Role::User) => {
                    self.results.push(tool_result(draft, &field, ids, result)?);
                }
                (Part::ToolCall(call), Role::Assistant) => {
                    let input = arguments(&field, &call.arguments)?;
                    let id = ids.get(&call.id);
                    self.blocks
                        .push(json!({"type": "tool_use", "id": id, "name": call.name, "input": input}));
                }
                (Part::Thinking(text), Role::Assistant) => {
                    self.thought(draft, text, message.parts.get(place + 1));
                }
                // One that signs a thought went with it.
                (Part::Opaque(opaque), Role::Assistant) => {
                    if draft.may_send(opaque) && opaque.kind == REDACTED {
                        self.blocks.push(json!({"type": "redacted_thinking", "data": opaque.data}));
                    }
                }
                (Part::Image(media), Role::User) => self.blocks.push(image(draft, &field, media)?),
                (Part::Document(media), Role::User) => self.blocks.push(document(draft, &field, media)?),
                (part, _) => plain(draft, &field, part, &mut self.blocks)?,
            }
        }
        Ok(())
    }

    /// A thought goes back with its signature or not at all.
    fn thought(&mut self, draft: &mut Draft<'_>, text: &str, next: Option<&Part>) {
        match next {
            Some(Part::Opaque(opaque)) if opaque.origin == draft.route.origin() => {
                if opaque.kind == SIGNATURE {
                    let signature = &opaque.data;
                    self.blocks.push(json!({"type": "thinking", "thinking": text, "signature": signature}));
                }
            }
            _ => draft.unused(Unused::Reasoning),
        }
    }

    /// A turn without content would be refused.
    fn rendered(self) -> Option<Value> {
        let Self { role, mut results, blocks } = self;
        results.extend(blocks);
        (!results.is_empty()).then(|| json!({"role": role, "content": results}))
    }
}

/// Renders what may stand in any turn: texts, but no empty ones, and marks on what stands before them.
fn plain(draft: &mut Draft<'_>, field: &str, part: &Part, blocks: &mut Vec<Value>) -> Result<(), Failure> {
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            if !text.trim().is_empty() {
                blocks.push(json!({"type": "text", "text": text}));
            }
        }
        Part::CacheMark(mark) => match blocks.last_mut() {
            Some(block) if block["type"] != "thinking" && block["type"] != REDACTED => {
                block["cache_control"] = match mark {
                    CacheMark::FiveMinutes => json!({"type": "ephemeral"}),
                    CacheMark::OneHour => json!({"type": "ephemeral", "ttl": "1h"}),
                };
            }
            _ => draft.change(Change::Dropped("cache_control")),
        },
        Part::Opaque(opaque) => draft.change(Change::OpaqueDropped(opaque.origin.clone())),
        part => return Err(no_place(field, part.noun())),
    }
    Ok(())
}

fn tool_result(
    draft: &mut Draft<'_>,
    field: &str,
    ids: &CallIds,
    result: &ToolResult,
) -> Result<Value, Failure> {
    let mut content = Vec::with_capacity(result.parts.len());
    let mut mark = None;
    for (place, part) in result.parts.iter().enumerate() {
        let field = format!("{field}.content[{place}]");
        match part {
            Part::Image(media) => content.push(image(draft, &field, media)?),
            Part::Document(media) => content.push(document(draft, &field, media)?),
            Part::CacheMark(_) => mark = Some(part),
            part => plain(draft, &field, part, &mut content)?,
        }
    }
    let mut block = json!({"type": "tool_result", "tool_use_id": ids.get(&result.call)});
    if !content.is_empty() {
        block["content"] = content.into();
    }
    if result.is_error {
        block["is_error"] = true.into();
    }
    let mut blocks = vec![block];
    if let Some(mark) = mark {
        plain(draft, field, mark, &mut blocks)?;
    }
    Ok(blocks.remove(0))
}

fn image(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    Ok(json!({"type": "image", "source": source(Payload::of(field, media, draft.route)?)}))
}

fn document(draft: &Draft<'_>, field: &str, media: &Media) -> Result<Value, Failure> {
    let source = match (&media.source, media.media_type.as_deref()) {
        (stack_chat::MediaSource::Bytes(bytes), Some("text/plain")) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Failure::invalid(field, format!("`{field}` must be text in UTF-8")))?;
            json!({"type": "text", "media_type": "text/plain", "data": text})
        }
        _ => source(Payload::of(field, media, draft.route)?),
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(title) = &media.detail {
        block["title"] = title.as_str().into();
    }
    Ok(block)
}

fn source(payload: Payload<'_>) -> Value {
    match payload {
        Payload::Inline(inline) => {
            json!({"type": "base64", "media_type": inline.media_type, "data": inline.base64})
        }
        Payload::Url(url) => json!({"type": "url", "url": url}),
    }
}

/// The interface takes identifiers of this length.
const ID_CHARS_MAX: usize = 64;
