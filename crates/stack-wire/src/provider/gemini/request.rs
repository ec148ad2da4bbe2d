//! Requests.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use stack_chat::{Effort, Failure, Output, Thinking, ToolChoice, Unused};

use super::content;
use crate::provider::draft::{Draft, decimal, parameters, parsed};
use crate::provider::{ProviderRequest, ThinkingForm};

/// Renders a request.
pub(in crate::provider) fn render(mut draft: Draft<'_>) -> Result<ProviderRequest, Failure> {
    let (system, contents) = content::contents(&mut draft)?;
    if !system.is_empty() {
        draft.set("systemInstruction", json!({"parts": system}));
    }
    draft.set("contents", contents);
    tools(&mut draft)?;
    let mut config = Map::new();
    sampling(&mut draft, &mut config);
    output(&draft, &mut config)?;
    thinking(&mut draft, &mut config);
    if !config.is_empty() {
        draft.set("generationConfig", config);
    }
    draft.drop_names();
    draft.drop_template_options();
    let model = segment(&draft.route.model);
    let path = if draft.streams() {
        format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
    } else {
        format!("/v1beta/models/{model}:generateContent")
    };
    draft.into_request(path, &[])
}

fn tools(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if request.tools.is_empty() {
        return Ok(());
    }
    let mut declarations = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        if tool.strict {
            draft.unused(Unused::StrictTools);
        }
        let mut declaration = Map::new();
        declaration.insert("name".into(), tool.name.as_str().into());
        if let Some(description) = &tool.description {
            declaration.insert("description".into(), description.as_str().into());
        }
        if tool.parameters.is_some() {
            declaration.insert("parametersJsonSchema".into(), parameters(index, tool)?);
        }
        declarations.push(Value::Object(declaration));
    }
    draft.set("tools", json!([{"functionDeclarations": declarations}]));
    let choice = match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(json!({"mode": "NONE"})),
        ToolChoice::Required => Some(json!({"mode": "ANY"})),
        ToolChoice::Named(name) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
    };
    if let Some(choice) = choice {
        draft.set("toolConfig", json!({"functionCallingConfig": choice}));
    }
    if request.parallel_tool_calls == Some(false) {
        draft.unused(Unused::ParallelToolCalls);
    }
    Ok(())
}

fn sampling(draft: &mut Draft<'_>, config: &mut Map<String, Value>) {
    let request = draft.request;
    let sampling = &request.sampling;
    for (name, number) in [
        ("temperature", sampling.temperature),
        ("topP", sampling.top_p),
        ("presencePenalty", sampling.presence_penalty),
        ("frequencyPenalty", sampling.frequency_penalty),
    ] {
        if let Some(number) = number {
            config.insert(name.into(), decimal(number));
        }
    }
    for (name, number) in [
        ("topK", sampling.top_k.map(Value::from)),
        ("maxOutputTokens", request.max_tokens.map(Value::from)),
        ("seed", sampling.seed.map(Value::from)),
    ] {
        if let Some(number) = number {
            config.insert(name.into(), number);
        }
    }
    if !request.stop.is_empty() {
        config.insert("stopSequences".into(), request.stop.clone().into());
    }
    draft.drop_given([
        (sampling.min_p.is_some(), "min_p"),
        (sampling.typical_p.is_some(), "typical_p"),
        (sampling.repeat_penalty.is_some(), "repeat_penalty"),
        (sampling.repeat_last_n.is_some(), "repeat_last_n"),
        (sampling.xtc.is_some(), "xtc"),
        (sampling.dry.is_some(), "dry"),
        (!sampling.logit_bias.is_empty(), "logit_bias"),
    ]);
}

fn output(draft: &Draft<'_>, config: &mut Map<String, Value>) -> Result<(), Failure> {
    match &draft.request.output {
        Output::Text | Output::Grammar(_) => return Ok(()),
        Output::Json => {}
        Output::Schema(schema) => {
            let schema = parsed("response_format.json_schema.schema", &schema.schema)?;
            config.insert("responseJsonSchema".into(), schema);
        }
    }
    config.insert("responseMimeType".into(), "application/json".into());
    Ok(())
}

fn thinking(draft: &mut Draft<'_>, config: &mut Map<String, Value>) {
    let asked = draft.request.thinking;
    let Some(form) = draft.route.thinking else {
        draft.drop_given([(!matches!(asked, Thinking::Default | Thinking::Off), "thinking")]);
        return;
    };
    let value = match (form, asked, asked.effort()) {
        (_, Thinking::Default, _) => return,
        (ThinkingForm::Effort, _, None) => json!({"thinkingLevel": "minimal"}),
        (ThinkingForm::Effort, _, Some(effort)) => {
            json!({"thinkingLevel": level(effort), "includeThoughts": true})
        }
        (ThinkingForm::Budget, Thinking::Budget(tokens), _) => {
            json!({"thinkingBudget": tokens, "includeThoughts": true})
        }
        (ThinkingForm::Budget, _, None) => json!({"thinkingBudget": 0}),
        // As many as the model likes.
        (ThinkingForm::Budget, _, Some(effort)) => {
            let budget = effort.budget().map_or(-1, i64::from);
            json!({"thinkingBudget": budget, "includeThoughts": true})
        }
    };
    config.insert("thinkingConfig".into(), value);
}

fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

/// Writes a model's name as one segment of a path, whatever it holds.
pub(in crate::provider) fn segment(model: &str) -> String {
    let mut out = String::with_capacity(model.len());
    for byte in model.strip_prefix("models/").unwrap_or(model).bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
