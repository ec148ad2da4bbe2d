//! What is said.

use crate::{Part, ToolCall, ToolResult};

/// A JSON text, kept as text: this crate only carries it from the wire to the template.
///
/// Whoever makes one has parsed it before; an invalid text shows as an error where it is next parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub String);

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// Instructions of the application, in models that tell the two apart.
    Developer,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// A role that only the model's template knows.
    Other(String),
}

impl Role {
    /// Returns the name that chat templates use.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Role {
    fn from(name: &str) -> Self {
        match name {
            "system" => Self::System,
            "developer" => Self::Developer,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "tool" => Self::Tool,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The name of the speaker, where given.
    pub name: Option<String>,
    /// What is said, in order. Without a text part there is no content, which to some templates is another thing than
    /// an empty text.
    pub parts: Vec<Part>,
}

impl Message {
    /// Makes a message of plain text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, name: None, parts: vec![Part::Text(text.into())] }
    }

    /// Makes a user message of plain text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// Makes the message that a tool call is answered with.
    pub fn result(result: ToolResult) -> Self {
        Self { role: Role::Tool, name: None, parts: vec![Part::ToolResult(result)] }
    }

    /// Returns its text, the parts joined by line breaks; `None` if it has no text part.
    pub fn text(&self) -> Option<String> {
        Part::text(&self.parts)
    }

    /// Returns what the model thought before it, the parts joined by line breaks; `None` if it did not think.
    pub fn thinking(&self) -> Option<String> {
        let texts: Vec<_> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Thinking(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// Iterates over the tool calls in it.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}
