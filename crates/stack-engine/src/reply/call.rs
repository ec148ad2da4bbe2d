//! One call while it is written.

use std::collections::HashMap;

use serde_json::Value as Json;
use stack_chat::Tool;

use super::event::ReplyEvent;
use super::format::{CallShape, Tags};
use super::literal::LiteralCall;
use super::object_call::{NamedCall, ObjectCall};
use super::tagged_call::TaggedCall;

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More text must come.
    More,
    /// What stands between its tags is complete.
    Done,
    /// This is no call.
    Broken,
}

/// Reads what stands between the tags of one call.
#[derive(Clone, Debug)]
pub(super) enum CallParser {
    Object(ObjectCall),
    Named(NamedCall),
    Tagged(TaggedCall),
    Literal(LiteralCall),
}

impl CallParser {
    /// Makes the parser of a shape. A call without `tags` must name one of the tools, because it may as well be an answer
    /// in JSON.
    pub(super) fn new(shape: &CallShape, tags: &Tags, is_bare: bool) -> Self {
        match shape {
            CallShape::Object { name, arguments, id } => {
                Self::Object(ObjectCall::new(name, arguments, id.as_deref(), is_bare))
            }
            CallShape::Named { separator, id } => Self::Named(NamedCall::new(separator, id)),
            CallShape::Tagged { after_name, key, value } => {
                Self::Tagged(TaggedCall::new(after_name, key, value, &tags.close))
            }
            CallShape::Literal { arguments, assign, quote, separator } => {
                Self::Literal(LiteralCall::new(arguments, assign, quote, separator))
            }
        }
    }

    /// Takes what it can of `rest`, the text that no parser has taken yet; returns how many bytes it took.
    pub(super) fn advance(
        &mut self,
        rest: &str,
        tools: &ToolTypes,
        events: &mut Vec<ReplyEvent>,
    ) -> (usize, Step) {
        match self {
            Self::Object(call) => call.advance(rest, tools, events),
            Self::Named(call) => call.advance(rest, events),
            Self::Tagged(call) => call.advance(rest, tools, events),
            Self::Literal(call) => call.advance(rest, events),
        }
    }
}

/// What the tools' schemas say of the types of their arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct ToolTypes {
    tools: HashMap<String, HashMap<String, ArgumentType>>,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgumentType {
    /// A text, and nothing else.
    Text,
    /// No text.
    Json,
    /// The schema does not say.
    Unknown,
}

impl ToolTypes {
    /// Reads the definitions of tools.
    pub(super) fn new(tools: &[Tool]) -> Self {
        let types = |tool: &Tool| {
            let parameters = tool.parameters.as_ref().and_then(|schema| serde_json::from_str(&schema.0).ok());
            let parameters: Json = parameters.unwrap_or_default();
            let properties = parameters.get("properties").and_then(Json::as_object);
            let typed = properties.into_iter().flatten().map(|(key, schema)| (key.clone(), type_of(schema)));
            (tool.name.clone(), typed.collect())
        };
        Self { tools: tools.iter().map(types).collect() }
    }

    /// Whether there are no tools.
    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Iterates over the names of the tools.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    /// Whether there is a tool of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tools.contains_key(name)
    }

    /// Returns the JSON of an argument that was written as plain text.
    pub(super) fn json(&self, tool: &str, key: &str, text: &str) -> Json {
        let argument = self.tools.get(tool).and_then(|keys| keys.get(key)).copied();
        let parsed = || serde_json::from_str(text.trim()).ok();
        match argument.unwrap_or(ArgumentType::Unknown) {
            ArgumentType::Text => None,
            ArgumentType::Json | ArgumentType::Unknown => parsed(),
        }
        .unwrap_or_else(|| text.into())
    }
}

fn type_of(schema: &Json) -> ArgumentType {
    let is_text = |name: &Json| name == "string";
    match schema.get("type") {
        Some(Json::Array(names)) if names.iter().all(is_text) => ArgumentType::Text,
        Some(Json::Array(names)) if names.iter().any(is_text) => ArgumentType::Unknown,
        Some(name) if is_text(name) => ArgumentType::Text,
        Some(_) => ArgumentType::Json,
        None => match schema.get("enum").and_then(Json::as_array) {
            Some(values) if values.iter().all(Json::is_string) => ArgumentType::Text,
            _ => ArgumentType::Unknown,
        },
    }
}
