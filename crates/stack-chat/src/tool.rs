//! Tools: what the model may call, whether it must, and the calls.

use crate::Json;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The name by which the model calls it.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object; the order of its keys is the caller's.
    pub parameters: Option<Json>,
    /// Whether the arguments must follow the schema in every case.
    pub strict: bool,
}

/// Whether the model calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It does not, and is not shown any.
    None,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Named(String),
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The identifier that the result refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, a JSON object.
    pub arguments: Json,
}
