//! Tool definitions and choices, flat or as OpenAI nests them.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Tool, ToolChoice};

use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::openai::is_name;
use crate::schema::schema;
use crate::tools::{NAME_BYTES_MAX, TOOLS_MAX, add, check_choice, choice};

/// Takes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn tools(
    fields: &mut Fields,
    request: &mut ChatRequest,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    for (index, value) in fields.list("tools", TOOLS_MAX)?.unwrap_or_default().into_iter().enumerate() {
        let tool = inner(Fields::open(format!("tools[{index}]"), value)?)?;
        let field = tool.path("name");
        add(request, definition(tool, ignored)?, field)?;
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.tool_choice = choice(fields, &mut request.tools, |choice, _| {
        Ok(ToolChoice::Named(inner(choice)?.require_text("name", NAME_BYTES_MAX)?))
    })?;
    check_choice(request, "tool_choice", "`tools`")
}

/// Opens the object that OpenAI's clients put inside another one.
fn inner(mut outer: Fields) -> Result<Fields, Failure> {
    match outer.object("function")? {
        Some(function) => Ok(function),
        None => Ok(outer),
    }
}

fn definition(mut tool: Fields, ignored: &mut Ignored) -> Result<Tool, Failure> {
    let name_path = tool.path("name");
    let name = match tool.require("name")? {
        Value::String(name) if is_name(&name) => name,
        other => return Err(mismatch(name_path, "1 to 64 letters, digits, `_`, `-` or `.`", &other)),
    };
    let path = tool.path("parameters");
    let definition = Tool {
        name,
        description: tool.text("description", usize::MAX)?,
        parameters: tool.take("parameters").map(|value| schema(&path, &value)).transpose()?,
        strict: tool.flag("strict")?.unwrap_or(false),
    };
    tool.ignore_rest("tools[]", ignored);
    Ok(definition)
}

#[cfg(test)]
mod tests {
    use stack_chat::Prompt;

    use super::*;

    fn parse(json: &str) -> Result<ChatRequest, Failure> {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        tools(&mut Fields::parse(json.as_bytes())?, &mut request, &mut Ignored::default())?;
        Ok(request)
    }

    #[test]
    fn a_tool_is_flat_or_nested() {
        let flat = parse(
            r#"{"tools": [{"name": "f", "parameters": {"type": "object"}}], "tool_choice": {"name": "f"}}"#,
        );
        let nested = parse(
            r#"{"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}}}"#,
        );
        assert_eq!(flat.as_ref().unwrap().tool_choice, ToolChoice::Named("f".into()));
        assert_eq!(flat, nested);
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, field) in [
            (r#"{"tools": [{}]}"#, "tools[0].name"),
            (r#"{"tools": [{"name": "f g"}]}"#, "tools[0].name"),
            (r#"{"tools": [{"name": "f"}, {"name": "f"}]}"#, "tools[1].name"),
            (r#"{"tools": [{"function": {"name": "f", "parameters": 1}}]}"#, "tools[0].function.parameters"),
            (r#"{"tool_choice": "required"}"#, "tool_choice"),
            (r#"{"tool_choice": {"name": "g"}}"#, "tool_choice"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
    }
}
