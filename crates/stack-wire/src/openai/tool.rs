//! Tool definitions, and which of them the model may call.

use serde_json::Value;
use stack_chat::{ChatError, Json, Tool};

use crate::Ignored;
use crate::fields::{Fields, mismatch};

/// Takes `tools`, `tool_choice` and `parallel_tool_calls`; with a choice of `"none"` the model is shown no tools.
///
/// Nothing binds what the model writes to the definitions yet, so wishes for that have no effect, and only a demand
/// that the answer is a call is refused.
pub(super) fn tools(fields: &mut Fields, ignored: &mut Ignored) -> Result<Vec<Tool>, ChatError> {
    let definitions = fields.list("tools", TOOLS_MAX)?.unwrap_or_default();
    let tools = definitions
        .into_iter()
        .enumerate()
        .map(|(index, value)| tool(index, value, ignored))
        .collect::<Result<_, _>>()?;
    if fields.flag("parallel_tool_calls")? == Some(false) {
        ignored.note("parallel_tool_calls");
    }
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

fn tool(index: usize, value: Value, ignored: &mut Ignored) -> Result<Tool, ChatError> {
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
        ignored.note("tools[].function.strict");
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
        tools(&mut Fields::parse(json.as_bytes())?, &mut Ignored::default())
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
    fn wishes_about_calls_are_accepted_and_listed() {
        let strict = r#"{"type": "function", "function": {"name": "a", "strict": true}}"#;
        for (json, expected) in [
            (format!(r#"{{"tools": [{strict}, {ADD}]}}"#), Some("tools[].function.strict")),
            (format!(r#"{{"tools": [{ADD}], "parallel_tool_calls": false}}"#), Some("parallel_tool_calls")),
            (format!(r#"{{"tools": [{ADD}], "parallel_tool_calls": true}}"#), None),
        ] {
            let mut ignored = Ignored::default();
            let tools = tools(&mut Fields::parse(json.as_bytes()).unwrap(), &mut ignored).unwrap();
            assert!(!tools.is_empty());
            assert_eq!(ignored.header_value().as_deref(), expected, "{json}");
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
                r#"{"type": "function", "function": {"name": "a", "strict": "yes"}}"#,
                "tools[0].function.strict",
            ),
        ] {
            let error = parse(&format!("{{\"tools\": [{tool}]}}")).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(want), "{tool}");
        }
    }
}
