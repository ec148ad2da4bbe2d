//! What the dialects have in common of tools: names that are apart, and a choice that fits what there is.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Tool, ToolChoice};

use crate::fields::{Fields, mismatch};

/// Adds a tool, whose name stands in `field`, to those of a request. No two may have one name.
pub(crate) fn add(request: &mut ChatRequest, tool: Tool, field: String) -> Result<(), Failure> {
    if request.tools.iter().any(|other| other.name == tool.name) {
        let message = format!("`{field}` is {:?}, as another tool is called already", tool.name);
        return Err(Failure::invalid(field, message));
    }
    request.tools.push(tool);
    Ok(())
}

/// Takes `tool_choice` as OpenAI writes it: a word, or an object, which `object` reads and which may leave tools out.
pub(crate) fn choice(
    fields: &mut Fields,
    tools: &mut Vec<Tool>,
    object: impl FnOnce(Fields, &mut Vec<Tool>) -> Result<ToolChoice, Failure>,
) -> Result<ToolChoice, Failure> {
    match fields.take("tool_choice") {
        None => Ok(ToolChoice::Auto),
        Some(Value::String(word)) => mode("tool_choice", &word),
        Some(value @ Value::Object(_)) => object(Fields::open("tool_choice".into(), value)?, tools),
        Some(other) => Err(mismatch("tool_choice".into(), CHOICES, &other)),
    }
}

/// Reads one of OpenAI's words.
pub(crate) fn mode(path: &str, word: &str) -> Result<ToolChoice, Failure> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        _ => Err(Failure::invalid(path, format!("`{path}` must be {CHOICES}"))),
    }
}

/// Looks whether the choice of a request can be met by its tools. `name_field` holds the name that it may give, and
/// `tools` is what there must be one of.
pub(crate) fn check_choice(request: &ChatRequest, name_field: &str, tools: &str) -> Result<(), Failure> {
    match &request.tool_choice {
        ToolChoice::Required if request.tools.is_empty() => {
            let message = format!("`tool_choice` demands a call, but there are no {tools}");
            Err(Failure::invalid("tool_choice", message))
        }
        ToolChoice::Named(name) if !request.tools.iter().any(|tool| tool.name == *name) => {
            let message = format!("`tool_choice` names {name:?}, which is none of the `tools`");
            Err(Failure::invalid(name_field, message))
        }
        _ => Ok(()),
    }
}

const CHOICES: &str = "\"auto\", \"none\", \"required\", or an object that names a tool";
/// The most tools that a request may define.
pub(crate) const TOOLS_MAX: usize = 512;
/// The longest word or name that a definition or a choice may hold.
pub(crate) const NAME_BYTES_MAX: usize = 256;
