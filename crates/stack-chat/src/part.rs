//! What messages are made of.

use crate::{Json, Opaque, ToolCall};

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture.
    Image(Media),
    /// A recording.
    Audio(Media),
    /// A file to read.
    Document(Media),
    /// What the model thought before the rest of the message.
    Thinking(String),
    /// A call of a tool, in a message of the model.
    ToolCall(ToolCall),
    /// What a call came to; a message of role [`Tool`](crate::Role::Tool) is exactly one of these.
    ToolResult(ToolResult),
    /// Why the model does not answer, in its own words.
    Refusal(String),
    /// Something that only the interface it came through has a meaning for.
    Foreign(Foreign),
    /// What the provider wants back with the part before it, or in place of a thought that it keeps to itself.
    Opaque(Opaque),
    /// Everything up to here is worth keeping in a cache.
    CacheMark(CacheMark),
}

impl Part {
    /// Returns the text of the parts that are text, of results and refusals too, joined by line breaks; `None` if there
    /// are none.
    pub fn text(parts: &[Self]) -> Option<String> {
        let texts: Vec<_> = parts
            .iter()
            .filter_map(|part| match part {
                Self::Text(text) | Self::Refusal(text) => Some(text.clone()),
                Self::ToolResult(result) => Self::text(&result.parts),
                _ => None,
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// Returns what it is, for a sentence: "an image".
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "an image",
            Self::Audio(_) => "audio",
            Self::Document(_) => "a document",
            Self::Thinking(_) => "thinking",
            Self::ToolCall(_) => "a tool call",
            Self::ToolResult(_) => "a tool result",
            Self::Refusal(_) => "a refusal",
            Self::Foreign(_) => "of a kind that only its own provider knows",
            Self::Opaque(_) => "for its own provider alone",
            Self::CacheMark(_) => "a cache mark",
        }
    }
}

/// A picture, a recording or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where its bytes are.
    pub source: MediaSource,
    /// What they are, such as `image/png`, where the caller says so.
    pub media_type: Option<String>,
    /// How closely to look at it, or what it is called, in the words of the interface that it came through.
    pub detail: Option<String>,
}

/// Where the bytes of a [`Media`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Here.
    Bytes(Vec<u8>),
    /// On the network; nobody has looked there.
    Url(String),
    /// At the provider, under this identifier.
    File(String),
}

/// What a tool call came to.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The identifier of the call.
    pub call: String,
    /// The tool, where the caller says so.
    pub name: Option<String>,
    /// What it returned.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// A part that only its own provider understands, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The word by which its interface tells it from others.
    pub kind: String,
    /// The whole part.
    pub json: Json,
}

/// How long a provider is asked to keep what stands before the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMark {
    /// Five minutes from its last use.
    FiveMinutes,
    /// One hour from its last use.
    OneHour,
}
