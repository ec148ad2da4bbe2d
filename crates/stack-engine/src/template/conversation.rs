//! A conversation in the shape that templates expect: the JSON that chat interfaces share.

use serde_json::{Map, Value as Json, json};
use stack_chat::{Message, Part, Tool, ToolCall};

use super::error::TemplateError;

/// Makes the JSON form of messages. Absent fields are absent; content that is `None` is null.
///
/// # Errors
///
/// What no template is given: everything that is not text.
pub(super) fn messages(messages: &[Message]) -> Result<Vec<Json>, TemplateError> {
    messages.iter().enumerate().map(message).collect()
}

/// Makes the JSON form of tool definitions: null if there are none, as in transformers.
pub(crate) fn tools(tools: &[Tool]) -> Result<Json, TemplateError> {
    if tools.is_empty() {
        return Ok(Json::Null);
    }
    tools
        .iter()
        .map(|tool| {
            let mut function = Map::new();
            function.insert("name".into(), tool.name.as_str().into());
            if let Some(description) = &tool.description {
                function.insert("description".into(), description.as_str().into());
            }
            if let Some(parameters) = &tool.parameters {
                let what = format!("the parameters of tool {}", tool.name);
                function.insert("parameters".into(), parse(&parameters.0, &what)?);
            }
            Ok(json!({ "type": "function", "function": function }))
        })
        .collect()
}

/// Parses a JSON text that a caller gave.
pub(super) fn parse(text: &str, what: &str) -> Result<Json, TemplateError> {
    serde_json::from_str(text)
        .map_err(|error| TemplateError::Input(format!("{what} is not valid JSON: {error}")))
}

fn message((index, message): (usize, &Message)) -> Result<Json, TemplateError> {
    let result = match message.parts.as_slice() {
        [Part::ToolResult(result)] => Some(result),
        _ => None,
    };
    let parts = result.map_or(&message.parts, |result| &result.parts);
    for (place, part) in parts.iter().enumerate() {
        match part {
            Part::Text(_)
            | Part::Thinking(_)
            | Part::ToolCall(_)
            | Part::Refusal(_)
            // A mark is a wish, and what another provider alone can read says nothing to a model that runs here.
            | Part::Opaque(_)
            | Part::CacheMark(_) => {}
            Part::Image(_) | Part::Audio(_) | Part::Document(_) | Part::ToolResult(_) | Part::Foreign(_) => {
                let field = format!("messages[{index}].content[{place}]");
                return Err(TemplateError::Part { field, noun: part.noun() });
            }
        }
    }
    let mut fields = Map::new();
    fields.insert("role".into(), message.role.as_str().into());
    fields.insert("content".into(), message.text().into());
    if let Some(name) = message.name.as_ref().or_else(|| result?.name.as_ref()) {
        fields.insert("name".into(), name.as_str().into());
    }
    if let Some(reasoning) = message.thinking() {
        // Qwen, GLM and DeepSeek read the first, gpt-oss and LFM the second.
        fields.insert("reasoning_content".into(), reasoning.as_str().into());
        fields.insert("thinking".into(), reasoning.into());
    }
    let calls: Vec<Json> = message.tool_calls().map(tool_call).collect::<Result<_, _>>()?;
    if !calls.is_empty() {
        fields.insert("tool_calls".into(), calls.into());
    }
    if let Some(result) = result {
        fields.insert("tool_call_id".into(), result.call.as_str().into());
    }
    Ok(Json::Object(fields))
}

fn tool_call(call: &ToolCall) -> Result<Json, TemplateError> {
    let arguments = parse(&call.arguments.0, &format!("the arguments of the call of {}", call.name))?;
    let function = json!({ "name": call.name, "arguments": arguments });
    Ok(json!({ "id": call.id, "type": "function", "function": function }))
}

/// Turns arguments of tool calls that are JSON texts into the objects that they spell.
pub(super) fn parse_arguments(messages: &mut [Json]) {
    for arguments in arguments(messages) {
        let object = arguments.as_str().and_then(|text| serde_json::from_str::<Map<String, Json>>(text).ok());
        if let Some(object) = object {
            *arguments = Json::Object(object);
        }
    }
}

/// Turns arguments of tool calls into JSON texts.
pub(super) fn quote_arguments(messages: &mut [Json]) {
    for arguments in arguments(messages).filter(|arguments| arguments.is_object()) {
        *arguments = spaced(arguments).into();
    }
}

/// The arguments of all tool calls, whether these name a function inside or are flat.
fn arguments(messages: &mut [Json]) -> impl Iterator<Item = &mut Json> {
    let calls =
        messages.iter_mut().filter_map(|message| message.get_mut("tool_calls")?.as_array_mut()).flatten();
    calls.filter_map(|call| {
        let function = if call.get("function").is_some() { call.get_mut("function")? } else { call };
        function.get_mut("arguments")
    })
}

/// Writes JSON as Python does, with a space behind each comma and colon: models have learned to.
pub(crate) fn spaced(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => {
            let field =
                |(key, value): (&String, &Json)| format!("{}: {}", Json::from(key.as_str()), spaced(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Turns content that is a list of parts into text.
pub(super) fn flatten_parts(messages: &mut [Json]) -> Result<(), TemplateError> {
    for content in messages.iter_mut().filter_map(|message| message.get_mut("content")) {
        let Some(parts) = content.as_array() else { continue };
        let texts: Option<Vec<&str>> = parts
            .iter()
            .map(|part| part.as_str().or_else(|| part.get("text").and_then(Json::as_str)))
            .collect();
        let texts = texts.ok_or_else(|| TemplateError::Input("the template takes text only".into()))?;
        *content = Json::String(texts.join("\n"));
    }
    Ok(())
}

/// Turns content that is text into a list of one part.
pub(super) fn wrap_parts(messages: &mut [Json]) {
    for content in messages.iter_mut().filter_map(|message| message.get_mut("content")) {
        if let Some(text) = content.as_str() {
            *content = json!([{ "type": "text", "text": text }]);
        }
    }
}
