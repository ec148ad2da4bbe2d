//! Tool definitions, and which of them the model may call.

use serde_json::Value;
use stack_chat::{ChatError, Json, Tool};

use crate::fields::{Fields, mismatch};

/// Takes `tools` and `tool_choice`; with `"none"` the model is shown no tools.
pub(super) fn tools(fields: &mut Fields) -> Result<Vec<Tool>, ChatError> {
    let definitions = fields.list("tools", TOOLS_MAX)?.unwrap_or_default();
    let tools = definitions
        .into_iter()
        .enumerate()
        .map(|(index, value)| tool(index, value))
        .collect::<Result<_, _>>()?;
    match fields.take("tool_choice") {
        None => Ok(tools),
        Some(Value::String(choice)) => match choice.as_str() {
            "auto" => Ok(tools),
            "none" => Ok(Vec::new()),
            "required" => Err(forced()),
            _ => Err(ChatError::invalid("tool_choice", "`tool_choice` must be \"auto\" or \"none\"")),
        },
        Some(Value::Object(_)) => Err(forced()),
        Some(other) => Err(mismatch("tool_choice".into(), "\"auto\" or \"none\"", &other)),
    }
}

fn tool(index: usize, value: Value) -> Result<Tool, ChatError> {
    let definition = Json(value.to_string());
    let mut tool = Fields::open(format!("tools[{index}]"), value)?;
    let kind_path = tool.path("type");
    match tool.require("type")? {
        Value::String(kind) if kind == "function" => {}
        Value::String(_) => {
            let message = format!("`{kind_path}` must be \"function\"; other tools are not supported");
            return Err(ChatError::unsupported(kind_path, message));
        }
        other => return Err(mismatch(kind_path, "a string", &other)),
    }
    let function_path = tool.path("function");
    let mut function = Fields::open(function_path, tool.require("function")?)?;
    if function.flag("strict")? == Some(true) {
        let path = function.path("strict");
        let message = format!("`{path}` is not supported: calls are not bound to their schema yet");
        return Err(ChatError::unsupported(path, message));
    }
    let name_path = function.path("name");
    match function.require("name")? {
        Value::String(name) if is_name(&name) => Ok(Tool { name, definition }),
        other => Err(mismatch(name_path, "1 to 64 letters, digits, `_`, `-` or `.`", &other)),
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn forced() -> ChatError {
    let message = "`tool_choice` must be \"auto\" or \"none\": a call cannot be forced yet";
    ChatError::unsupported("tool_choice", message)
}

const TOOLS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use stack_chat::ErrorKind;

    use super::*;

    const ADD: &str = r#"{"type":"function","function":{"name":"add","parameters":{"z":1,"a":[]}}}"#;

    fn parse(json: &str) -> Result<Vec<Tool>, ChatError> {
        tools(&mut Fields::parse(json.as_bytes())?)
    }

    #[test]
    fn a_definition_keeps_its_keys_in_order() {
        let tools = parse(&format!("{{\"tools\": [{ADD}]}}")).unwrap();
        assert_eq!(tools, [Tool { name: "add".into(), definition: Json(ADD.into()) }]);
    }

    #[test]
    fn a_choice_of_none_hides_the_tools() {
        assert_eq!(parse(&format!("{{\"tools\": [{ADD}], \"tool_choice\": \"none\"}}")).unwrap(), []);
        assert_eq!(parse(&format!("{{\"tools\": [{ADD}], \"tool_choice\": \"auto\"}}")).unwrap().len(), 1);
    }

    #[test]
    fn a_forced_choice_is_refused_and_nonsense_is_invalid() {
        for (choice, kind) in [
            ("\"required\"", ErrorKind::Unsupported),
            (r#"{"type": "function", "function": {"name": "add"}}"#, ErrorKind::Unsupported),
            ("\"maybe\"", ErrorKind::Invalid),
            ("7", ErrorKind::Invalid),
        ] {
            let error = parse(&format!("{{\"tool_choice\": {choice}}}")).unwrap_err();
            assert_eq!((error.kind, error.field.as_deref()), (kind, Some("tool_choice")), "{choice}");
        }
    }

    #[test]
    fn the_definition_at_fault_is_named() {
        for (tool, want) in [
            ("1", "tools[0]"),
            ("{}", "tools[0].type"),
            (r#"{"type": "web_search"}"#, "tools[0].type"),
            (r#"{"type": "function"}"#, "tools[0].function"),
            (r#"{"type": "function", "function": {}}"#, "tools[0].function.name"),
            (r#"{"type": "function", "function": {"name": "a b"}}"#, "tools[0].function.name"),
            (
                r#"{"type": "function", "function": {"name": "a", "strict": true}}"#,
                "tools[0].function.strict",
            ),
        ] {
            let error = parse(&format!("{{\"tools\": [{tool}]}}")).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(want), "{tool}");
        }
    }
}
