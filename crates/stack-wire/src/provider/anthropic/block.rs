//! Content blocks of replies.

use serde_json::Value;
use stack_chat::{Citation, Failure, Fragment, PartKind};

use super::{REDACTED, SIGNATURE};
use crate::provider::events::Events;
use crate::provider::object::{Object, drift};

/// A block that has begun.
#[derive(Debug)]
pub(super) enum Block {
    /// Text.
    Text { part: u32 },
    /// A thought, and as much of its signature as has come.
    Thinking { part: u32, signature: String },
    /// A call.
    Call { part: u32 },
    /// A block that has no meaning here, or is complete when it begins.
    Other,
}

impl Block {
    /// Begins a block, with what it holds from the start.
    pub(super) fn begin(block: Object<'_>, events: &mut Events) -> Result<Self, Failure> {
        match block.require_text("type")? {
            "text" => {
                let part = events.open(PartKind::Text)?;
                events.add(part, Fragment::Text(block.text("text")?.unwrap_or_default().to_owned()));
                for source in block.objects("citations", "content_block.citations[]")? {
                    events.citation(part, citation(source)?);
                }
                Ok(Self::Text { part })
            }
            "thinking" => {
                let part = events.open(PartKind::Thinking)?;
                events.add(part, Fragment::Thinking(block.text("thinking")?.unwrap_or_default().to_owned()));
                Ok(Self::Thinking {
                    part,
                    signature: block.text("signature")?.unwrap_or_default().to_owned(),
                })
            }
            "redacted_thinking" => {
                let part = events.open(PartKind::Thinking)?;
                events.opaque(part, REDACTED, block.require_text("data")?.to_owned());
                events.close(part);
                Ok(Self::Other)
            }
            "tool_use" => {
                let part = events.open_call(Some(block.require_text("id")?), block.require_text("name")?)?;
                match block.value("input") {
                    None => {}
                    // It begins as an object without anything, whose text follows in pieces.
                    Some(Value::Object(input)) if input.is_empty() => {}
                    Some(input @ Value::Object(_)) => {
                        events.add(part, Fragment::Arguments(input.to_string()));
                    }
                    Some(other) => return Err(drift("content_block.input", "an object", other)),
                }
                Ok(Self::Call { part })
            }
            other => {
                events.facts.unknown("content block", other);
                Ok(Self::Other)
            }
        }
    }

    /// Takes in more of a block.
    pub(super) fn delta(&mut self, delta: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        let text = |name| delta.require_text(name).map(str::to_owned);
        match (delta.require_text("type")?, self) {
            (_, Self::Other) => {}
            ("text_delta", Self::Text { part }) => events.add(*part, Fragment::Text(text("text")?)),
            ("citations_delta", Self::Text { part }) => {
                events.citation(*part, citation(delta.require_object("citation", "delta.citation")?)?);
            }
            ("thinking_delta", Self::Thinking { part, .. }) => {
                events.add(*part, Fragment::Thinking(text("thinking")?));
            }
            ("signature_delta", Self::Thinking { signature, .. }) => signature.push_str(&text("signature")?),
            ("input_json_delta", Self::Call { part }) => {
                events.add(*part, Fragment::Arguments(text("partial_json")?));
            }
            (other, _) => events.facts.unknown("content block delta", other),
        }
        Ok(())
    }

    /// Ends a block.
    pub(super) fn end(self, events: &mut Events) {
        match self {
            Self::Text { part } | Self::Call { part } => events.close(part),
            Self::Thinking { part, signature } => {
                events.opaque(part, SIGNATURE, signature);
                events.close(part);
            }
            Self::Other => {}
        }
    }
}

fn citation(source: Object<'_>) -> Result<Citation, Failure> {
    let text = |name| source.text(name).map(|text| text.map(str::to_owned));
    let title = text("title")?.or(text("document_title")?);
    Ok(Citation { url: text("url")?, title, quote: text("cited_text")? })
}
