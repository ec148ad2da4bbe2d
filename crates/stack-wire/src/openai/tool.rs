//! Tool definitions, and which of them the model may or must call.

use std::collections::HashSet;

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Tool, ToolChoice};

use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::schema::schema;
use crate::tools::{NAME_BYTES_MAX, TOOLS_MAX, add, check_choice, choice, mode};

/// Takes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(crate) fn tools(
    fields: &mut Fields,
    request: &mut ChatRequest,
    ignored: &mut Ignored,
) -> Result<(), Failure> {
    let definitions = fields.list("tools", TOOLS_MAX)?.unwrap_or_default();
    for (index, definition) in definitions.into_iter().enumerate() {
        let tool = tool(Fields::open(format!("tools[{index}]"), definition)?, ignored)?;
        add(request, tool, format!("tools[{index}].function.name"))?;
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.tool_choice = choice(fields, &mut request.tools, object)?;
    check_choice(request, "tool_choice", "`tools`")
}

fn tool(mut tool: Fields, ignored: &mut Ignored) -> Result<Tool, Failure> {
    let kind_path = tool.path("type");
    match tool.require("type")? {
        Value::String(kind) if kind == "function" => {}
        Value::String(_) => {
            let message = format!("`{kind_path}` must be \"function\"; other tools are not supported");
            return Err(Failure::unsupported(kind_path, message));
        }
        other => return Err(mismatch(kind_path, "a string", &other)),
    }
    let function_path = tool.path("function");
    let mut function = Fields::open(function_path, tool.require("function")?)?;
    tool.ignore_rest("tools[]", ignored);
    let name_path = function.path("name");
    let name = match function.require("name")? {
        Value::String(name) if is_name(&name) => name,
        other => return Err(mismatch(name_path, "1 to 64 letters, digits, `_`, `-` or `.`", &other)),
    };
    let parameters_path = function.path("parameters");
    let definition = Tool {
        name,
        description: function.text("description", usize::MAX)?,
        parameters: function.take("parameters").map(|value| schema(&parameters_path, &value)).transpose()?,
        strict: function.flag("strict")?.unwrap_or(false),
    };
    function.ignore_rest("tools[].function", ignored);
    Ok(definition)
}

/// Takes a choice that is an object: one tool, or some of them.
fn object(mut choice: Fields, tools: &mut Vec<Tool>) -> Result<ToolChoice, Failure> {
    let path = choice.path("type");
    match choice.require("type")? {
        Value::String(kind) if kind == "function" => {
            let path = choice.path("function");
            let mut function = Fields::open(path, choice.require("function")?)?;
            Ok(ToolChoice::Named(function.require_text("name", NAME_BYTES_MAX)?))
        }
        Value::String(kind) if kind == "allowed_tools" => {
            let path = choice.path("allowed_tools");
            let mut allowed = Fields::open(path, choice.require("allowed_tools")?)?;
            let mode_path = allowed.path("mode");
            let mode = mode(&mode_path, &allowed.require_text("mode", NAME_BYTES_MAX)?)?;
            let mut names = HashSet::new();
            let list_path = allowed.path("tools");
            for (index, tool) in allowed.list("tools", TOOLS_MAX)?.unwrap_or_default().into_iter().enumerate()
            {
                let mut tool = Fields::open(format!("{list_path}[{index}]"), tool)?;
                let path = tool.path("function");
                let mut function = Fields::open(path, tool.require("function")?)?;
                names.insert(function.require_text("name", NAME_BYTES_MAX)?);
            }
            tools.retain(|tool| names.contains(&tool.name));
            Ok(mode)
        }
        other => Err(mismatch(path, "\"function\" or \"allowed_tools\"", &other)),
    }
}

/// Tells whether `name` may be the name of a tool.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use stack_chat::{FailureKind, Json, Prompt};

    use super::*;

    const ADD: &str =
        r#"{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"z":1,"a":[]}}}"#;
    const SUB: &str = r#"{"type":"function","function":{"name":"sub"}}"#;

    fn parse_noting(json: &str, ignored: &mut Ignored) -> Result<ChatRequest, Failure> {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        tools(&mut Fields::parse(json.as_bytes())?, &mut request, ignored)?;
        Ok(request)
    }

    fn parse(json: &str) -> Result<ChatRequest, Failure> {
        parse_noting(json, &mut Ignored::default())
    }

    #[test]
    fn a_schema_keeps_its_keys_in_order() {
        let [add, sub] = parse(&format!("{{\"tools\": [{ADD}, {SUB}]}}")).unwrap().tools.try_into().unwrap();
        let parameters = Some(Json(r#"{"z":1,"a":[]}"#.into()));
        let description = Some("Adds.".into());
        assert_eq!(add, Tool { name: "add".into(), description, parameters, strict: false });
        assert_eq!(sub, Tool { name: "sub".into(), description: None, parameters: None, strict: false });
    }

    #[test]
    fn a_choice_is_a_word_or_names_tools_that_there_are() {
        let allowed = r#"{"type": "allowed_tools", "allowed_tools":
            {"mode": "required", "tools": [{"type": "function", "function": {"name": "sub"}}]}}"#;
        let named = r#"{"type": "function", "function": {"name": "add"}}"#;
        for (choice, want, count) in [
            ("\"auto\"", ToolChoice::Auto, 2),
            ("\"none\"", ToolChoice::None, 2),
            ("\"required\"", ToolChoice::Required, 2),
            (named, ToolChoice::Named("add".into()), 2),
            (allowed, ToolChoice::Required, 1),
        ] {
            let request =
                parse(&format!("{{\"tools\": [{ADD}, {SUB}], \"tool_choice\": {choice}}}")).unwrap();
            assert_eq!((request.tool_choice, request.tools.len()), (want, count), "{choice}");
        }
    }

    #[test]
    fn a_choice_that_cannot_be_followed_is_invalid() {
        let other = r#"{"type": "function", "function": {"name": "other"}}"#;
        for (tools, choice) in [
            ("", "\"required\""),
            (ADD, "\"maybe\""),
            (ADD, "7"),
            (ADD, other),
            (ADD, r#"{"type": "made_up"}"#),
            (ADD, r#"{"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}"#),
        ] {
            let failure = parse(&format!("{{\"tools\": [{tools}], \"tool_choice\": {choice}}}")).unwrap_err();
            assert_eq!(failure.kind, FailureKind::InvalidRequest, "{choice}");
            assert!(failure.field.unwrap().starts_with("tool_choice"), "{choice}");
        }
    }

    #[test]
    fn wishes_about_calls_arrive_and_what_nobody_reads_is_listed() {
        let strict =
            r#"{"type": "function", "cache": 1, "function": {"name": "a", "strict": true, "returns": {}}}"#;
        let mut ignored = Ignored::default();
        let body = format!("{{\"tools\": [{strict}], \"parallel_tool_calls\": false}}");
        let request = parse_noting(&body, &mut ignored).unwrap();
        assert!(request.tools[0].strict);
        assert_eq!(request.parallel_tool_calls, Some(false));
        assert_eq!(ignored.header_value().as_deref(), Some("tools[].cache, tools[].function.returns"));
    }

    #[test]
    fn the_definition_at_fault_is_named() {
        let twice = format!("{ADD}, {ADD}");
        for (tools, want) in [
            ("1", "tools[0]"),
            ("{}", "tools[0].type"),
            (r#"{"type": "web_search"}"#, "tools[0].type"),
            (r#"{"type": "function"}"#, "tools[0].function"),
            (r#"{"type": "function", "function": {}}"#, "tools[0].function.name"),
            (r#"{"type": "function", "function": {"name": "a b"}}"#, "tools[0].function.name"),
            (
                r#"{"type": "function", "function": {"name": "a", "description": 1}}"#,
                "tools[0].function.description",
            ),
            (
                r#"{"type": "function", "function": {"name": "a", "parameters": []}}"#,
                "tools[0].function.parameters",
            ),
            (
                r#"{"type": "function", "function": {"name": "a", "parameters": {"enum": []}}}"#,
                "tools[0].function.parameters.enum",
            ),
            (
                r#"{"type": "function", "function": {"name": "a", "strict": "yes"}}"#,
                "tools[0].function.strict",
            ),
            (&twice, "tools[1].function.name"),
        ] {
            let failure = parse(&format!("{{\"tools\": [{tools}]}}")).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some(want), "{tools}");
        }
    }

    #[test]
    fn as_many_tools_as_are_allowed_are_taken_and_no_more() {
        let many = |count: usize| {
            let tools: Vec<_> = (0..count)
                .map(|number| format!(r#"{{"type":"function","function":{{"name":"f{number}"}}}}"#))
                .collect();
            parse(&format!("{{\"tools\": [{}]}}", tools.join(",")))
        };
        assert_eq!(many(512).unwrap().tools.len(), 512);
        assert_eq!(many(513).unwrap_err().field.as_deref(), Some("tools"));
    }
}
