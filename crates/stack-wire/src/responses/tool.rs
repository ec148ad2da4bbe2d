//! Tool definitions, and which of them the model may or must call.

use std::collections::HashSet;

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Json, Tool, ToolChoice};

use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::openai::is_name;
use crate::schema::schema;
use crate::tools::{NAME_BYTES_MAX, TOOLS_MAX, add, check_choice, choice, mode};

/// Takes `tools`, `tool_choice` and `parallel_tool_calls`, and returns the names of the custom tools.
///
/// A custom tool takes free text. The model is shown a function with one argument, `input`, and its calls are written
/// as what the caller expects. Tools that run at OpenAI are not offered to the model, and are listed as ignored.
pub(super) fn tools(
    fields: &mut Fields,
    request: &mut ChatRequest,
    ignored: &mut Ignored,
) -> Result<Vec<String>, Failure> {
    let mut custom = Vec::new();
    for (index, definition) in fields.list("tools", TOOLS_MAX)?.unwrap_or_default().into_iter().enumerate() {
        let mut fields = Fields::open(format!("tools[{index}]"), definition)?;
        let path = fields.path("type");
        let tool = match fields.require("type")? {
            Value::String(kind) if kind == "function" => function(fields, ignored)?,
            Value::String(kind) if kind == "custom" => {
                let tool = free_text(fields, ignored)?;
                custom.push(tool.name.clone());
                tool
            }
            Value::String(kind) if HOSTED.contains(&kind.as_str()) => {
                ignored.note(&format!("tools[].{kind}"));
                continue;
            }
            Value::String(_) => {
                let message = format!("`{path}` must be \"function\" or \"custom\"");
                return Err(Failure::unsupported(path, message));
            }
            other => return Err(mismatch(path, "a string", &other)),
        };
        add(request, tool, format!("tools[{index}].name"))?;
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.tool_choice = choice(fields, &mut request.tools, object)?;
    check_choice(request, "tool_choice", "`tools` that can be called here")?;
    Ok(custom)
}

fn function(mut fields: Fields, ignored: &mut Ignored) -> Result<Tool, Failure> {
    let path = fields.path("parameters");
    let tool = Tool {
        name: name(&mut fields)?,
        description: fields.text("description", usize::MAX)?,
        parameters: fields.take("parameters").map(|value| schema(&path, &value)).transpose()?,
        strict: fields.flag("strict")?.unwrap_or(false),
    };
    fields.ignore_rest("tools[]", ignored);
    Ok(tool)
}

fn free_text(mut fields: Fields, ignored: &mut Ignored) -> Result<Tool, Failure> {
    let tool = Tool {
        name: name(&mut fields)?,
        description: fields.text("description", usize::MAX)?,
        parameters: Some(Json(INPUT_SCHEMA.to_owned())),
        strict: false,
    };
    // A grammar for the text would have to bind a part of an argument.
    if let Some(mut format) = fields.object("format")?
        && format.text("type", 64)?.is_some_and(|kind| kind != "text")
    {
        ignored.note("tools[].format");
    }
    fields.ignore_rest("tools[]", ignored);
    Ok(tool)
}

fn name(fields: &mut Fields) -> Result<String, Failure> {
    let path = fields.path("name");
    match fields.require("name")? {
        Value::String(name) if is_name(&name) => Ok(name),
        other => Err(mismatch(path, "1 to 64 letters, digits, `_`, `-` or `.`", &other)),
    }
}

/// Takes a choice that is an object: one tool, or some of them.
fn object(mut choice: Fields, tools: &mut Vec<Tool>) -> Result<ToolChoice, Failure> {
    let path = choice.path("type");
    match choice.require("type")? {
        Value::String(kind) if kind == "function" || kind == "custom" => {
            Ok(ToolChoice::Named(choice.require_text("name", NAME_BYTES_MAX)?))
        }
        Value::String(kind) if kind == "allowed_tools" => {
            let mode_path = choice.path("mode");
            let mode = mode(&mode_path, &choice.require_text("mode", NAME_BYTES_MAX)?)?;
            let path = choice.path("tools");
            let mut names = HashSet::new();
            for (index, tool) in choice.list("tools", TOOLS_MAX)?.unwrap_or_default().into_iter().enumerate()
            {
                let mut tool = Fields::open(format!("{path}[{index}]"), tool)?;
                names.extend(tool.text("name", NAME_BYTES_MAX)?);
            }
            tools.retain(|tool| names.contains(&tool.name));
            Ok(mode)
        }
        Value::String(_) => {
            let message = format!("`{path}` must be \"function\", \"custom\" or \"allowed_tools\"");
            Err(Failure::unsupported(path, message))
        }
        other => Err(mismatch(path, "a string", &other)),
    }
}

const INPUT_SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;
/// Tools that run at OpenAI, or whose calls only OpenAI's own models write.
const HOSTED: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
];
#[cfg(test)]
mod tests {
    use stack_chat::Prompt;

    use super::*;

    const ADD: &str =
        r#"{"type": "function", "name": "add", "parameters": {"z": 1, "a": []}, "strict": true}"#;

    fn parse(json: &str) -> Result<(ChatRequest, Vec<String>, Option<String>), Failure> {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        let mut ignored = Ignored::default();
        let custom = tools(&mut Fields::parse(json.as_bytes())?, &mut request, &mut ignored)?;
        Ok((request, custom, ignored.header_value()))
    }

    #[test]
    fn custom_tools_are_functions_of_one_text_and_hosted_ones_are_not_offered() {
        let patch = r#"{"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark"}}"#;
        let body = format!(r#"{{"tools": [{ADD}, {patch}, {{"type": "web_search"}}]}}"#);
        let (request, custom, ignored) = parse(&body).unwrap();
        let [add, patch] = request.tools.try_into().unwrap();
        assert_eq!((add.strict, add.parameters), (true, Some(Json(r#"{"z":1,"a":[]}"#.into()))));
        assert_eq!((patch.parameters, custom), (Some(Json(INPUT_SCHEMA.into())), vec!["patch".to_owned()]));
        assert_eq!(ignored.as_deref(), Some("tools[].format, tools[].web_search"));
    }

    #[test]
    fn a_choice_is_a_word_or_names_tools() {
        let allowed = r#"{"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]}"#;
        for (choice, want) in [
            ("\"required\"", ToolChoice::Required),
            (r#"{"type": "function", "name": "add"}"#, ToolChoice::Named("add".into())),
            (allowed, ToolChoice::Required),
        ] {
            let (request, ..) = parse(&format!(r#"{{"tools": [{ADD}], "tool_choice": {choice}}}"#)).unwrap();
            assert_eq!((request.tool_choice, request.tools.len()), (want, 1), "{choice}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let twice = format!("[{ADD}, {ADD}]");
        for (tools, choice, want) in [
            ("[1]", "null", "tools[0]"),
            ("[{}]", "null", "tools[0].type"),
            (r#"[{"type": "made_up"}]"#, "null", "tools[0].type"),
            (r#"[{"type": "function"}]"#, "null", "tools[0].name"),
            (
                r#"[{"type": "function", "name": "a", "parameters": {"enum": []}}]"#,
                "null",
                "tools[0].parameters.enum",
            ),
            (&twice, "null", "tools[1].name"),
            (r#"[{"type": "web_search"}]"#, "\"required\"", "tool_choice"),
            ("[]", "\"maybe\"", "tool_choice"),
            ("[]", r#"{"type": "web_search"}"#, "tool_choice.type"),
            ("[]", r#"{"type": "function", "name": "add"}"#, "tool_choice"),
        ] {
            let failure = parse(&format!(r#"{{"tools": {tools}, "tool_choice": {choice}}}"#)).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some(want), "{tools} {choice}");
        }
    }
}
