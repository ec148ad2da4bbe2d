//! Tool definitions, and which of them the model may or must call.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Tool, ToolChoice};

use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::schema::schema;
use crate::tools::{NAME_BYTES_MAX, TOOLS_MAX, add, check_choice};

/// Takes `tools` and `tool_choice`.
pub(super) fn tools(
    fields: &mut Fields,
    request: &mut ChatRequest,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    let definitions = fields.list("tools", TOOLS_MAX)?.unwrap_or_default();
    for (index, definition) in definitions.into_iter().enumerate() {
        let tool = tool(Fields::open(format!("tools[{index}]"), definition)?, ignored)?;
        add(request, tool, format!("tools[{index}].name"))?;
    }
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok(()) };
    let path = choice.path("type");
    request.tool_choice = match choice.require("type")? {
        Value::String(kind) if kind == "auto" => ToolChoice::Auto,
        Value::String(kind) if kind == "any" => ToolChoice::Required,
        Value::String(kind) if kind == "none" => ToolChoice::None,
        Value::String(kind) if kind == "tool" => {
            ToolChoice::Named(choice.require_text("name", NAME_BYTES_MAX)?)
        }
        other => return Err(mismatch(path, "\"auto\", \"any\", \"tool\" or \"none\"", &other)),
    };
    // The field says the opposite of what it is called elsewhere.
    request.parallel_tool_calls = choice.flag("disable_parallel_tool_use")?.map(|disable| !disable);
    choice.ignore_rest("tool_choice", ignored);
    check_choice(request, "tool_choice.name", "`tools`")
}

fn tool(mut tool: Fields, ignored: &mut Ignored) -> Result<Tool, Failure> {
    // Tools with a type of their own run at the provider, or have a schema that only its models have learnt.
    if let Some(kind) = tool.text("type", NAME_BYTES_MAX)?.filter(|kind| kind != "custom") {
        let path = tool.path("type");
        let message = format!("`{path}` is {kind:?}, a tool of Anthropic's own, which is not here");
        return Err(Failure::unsupported(path, message));
    }
    let name_path = tool.path("name");
    let name = match tool.require("name")? {
        Value::String(name) if is_name(&name) => name,
        other => return Err(mismatch(name_path, "1 to 128 letters, digits, `_` or `-`", &other)),
    };
    let schema_path = tool.path("input_schema");
    let definition = Tool {
        name,
        description: tool.text("description", usize::MAX)?,
        parameters: Some(schema(&schema_path, &tool.require("input_schema")?)?),
        strict: tool.flag("strict")?.unwrap_or(false),
    };
    tool.ignore_rest("tools[]", ignored);
    Ok(definition)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use stack_chat::{FailureKind, Json, Prompt};

    use super::*;

    const ADD: &str =
        r#"{"name": "add", "description": "Adds.", "input_schema": {"z": 1, "a": []}, "cache_control": {}}"#;

    fn parse(json: &str) -> Result<(ChatRequest, Option<String>), Failure> {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        let mut ignored = Ignored::default();
        tools(&mut Fields::parse(json.as_bytes())?, &mut request, &mut ignored)?;
        Ok((request, ignored.header_value()))
    }

    #[test]
    fn a_definition_arrives_with_its_keys_in_order() {
        let (request, ignored) = parse(&format!("{{\"tools\": [{ADD}]}}")).unwrap();
        let parameters = Some(Json(r#"{"z":1,"a":[]}"#.into()));
        let description = Some("Adds.".into());
        assert_eq!(request.tools, [Tool { name: "add".into(), description, parameters, strict: false }]);
        assert_eq!(ignored.as_deref(), Some("tools[].cache_control"));
    }

    #[test]
    fn a_choice_has_a_type() {
        for (choice, want, parallel) in [
            (r#"{"type": "auto"}"#, ToolChoice::Auto, None),
            (r#"{"type": "any", "disable_parallel_tool_use": true}"#, ToolChoice::Required, Some(false)),
            (r#"{"type": "tool", "name": "add"}"#, ToolChoice::Named("add".into()), None),
            (r#"{"type": "none"}"#, ToolChoice::None, None),
        ] {
            let (request, _) = parse(&format!("{{\"tools\": [{ADD}], \"tool_choice\": {choice}}}")).unwrap();
            assert_eq!((request.tool_choice, request.parallel_tool_calls), (want, parallel), "{choice}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let twice = format!("[{ADD}, {ADD}]");
        for (tools, choice, want) in [
            ("{}", "null", "tools"),
            ("[1]", "null", "tools[0]"),
            ("[{}]", "null", "tools[0].name"),
            (r#"[{"name": "a"}]"#, "null", "tools[0].input_schema"),
            (r#"[{"name": "a", "input_schema": {"enum": []}}]"#, "null", "tools[0].input_schema.enum"),
            (r#"[{"name": "a b", "input_schema": {}}]"#, "null", "tools[0].name"),
            (r#"[{"type": "web_search_20250305", "name": "web_search"}]"#, "null", "tools[0].type"),
            (&twice, "null", "tools[1].name"),
            ("[]", r#""auto""#, "tool_choice"),
            ("[]", "{}", "tool_choice.type"),
            ("[]", r#"{"type": "required"}"#, "tool_choice.type"),
            ("[]", r#"{"type": "any"}"#, "tool_choice"),
            ("[]", r#"{"type": "tool"}"#, "tool_choice.name"),
            ("[]", r#"{"type": "tool", "name": "add"}"#, "tool_choice.name"),
        ] {
            let failure = parse(&format!("{{\"tools\": {tools}, \"tool_choice\": {choice}}}")).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some(want), "{tools} {choice}");
            let is_kind = matches!(failure.kind, FailureKind::InvalidRequest | FailureKind::Unsupported);
            assert!(is_kind);
        }
    }
}
