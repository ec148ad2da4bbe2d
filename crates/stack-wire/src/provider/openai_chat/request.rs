//! Requests.

use serde_json::{Map, Value, json};
use stack_chat::{Effort, Failure, Output, Thinking, ToolChoice};

use super::message;
use crate::provider::ProviderRequest;
use crate::provider::draft::{Draft, parsed};

/// Renders a request.
pub(in crate::provider) fn render(mut draft: Draft<'_>) -> Result<ProviderRequest, Failure> {
    let request = draft.request;
    draft.set("model", draft.route.model.as_str());
    let messages = message::messages(&mut draft)?;
    draft.set("messages", messages);
    if draft.streams() {
        draft.set("stream", true);
        // Without it nobody learns what the answer cost; callers who did not ask for it are not shown it.
        draft.set("stream_options", json!({"include_usage": true}));
    }
    draft.set_given("max_completion_tokens", request.max_tokens);
    sampling(&mut draft)?;
    tools(&mut draft)?;
    output(&mut draft)?;
    thinking(&mut draft)?;
    draft.into_request("/v1/chat/completions".to_owned(), &[])
}

fn sampling(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let (request, is_extended) = (draft.request, draft.route.extended);
    let sampling = &request.sampling;
    draft.set_number("temperature", sampling.temperature);
    draft.set_number("top_p", sampling.top_p);
    draft.set_number("frequency_penalty", sampling.frequency_penalty);
    draft.set_number("presence_penalty", sampling.presence_penalty);
    draft.set_given("seed", sampling.seed);
    if !sampling.logit_bias.is_empty() {
        let entry = |bias: &stack_chat::LogitBias| {
            let amount = if bias.bias == f32::NEG_INFINITY { -100.0 } else { bias.bias };
            (bias.token.to_string(), crate::provider::draft::decimal(amount))
        };
        draft.set("logit_bias", sampling.logit_bias.iter().map(entry).collect::<Map<_, _>>());
    }
    if is_extended {
        draft.set_given("top_k", sampling.top_k);
        draft.set_number("min_p", sampling.min_p);
        draft.set_number("repetition_penalty", sampling.repeat_penalty);
    } else {
        draft.drop_given([
            (sampling.top_k.is_some(), "top_k"),
            (sampling.min_p.is_some(), "min_p"),
            (sampling.repeat_penalty.is_some(), "repeat_penalty"),
        ]);
    }
    draft.drop_given([
        (sampling.typical_p.is_some(), "typical_p"),
        (sampling.repeat_last_n.is_some(), "repeat_last_n"),
        (sampling.xtc.is_some(), "xtc"),
        (sampling.dry.is_some(), "dry"),
    ]);
    if request.stop.len() > STOPS_MAX && !is_extended {
        let message = format!("`stop` has {} texts; this provider takes {STOPS_MAX}", request.stop.len());
        return Err(Failure::unsupported("stop", message));
    }
    if !request.stop.is_empty() {
        draft.set("stop", request.stop.clone());
    }
    Ok(())
}

fn tools(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if request.tools.is_empty() {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        let mut function = Map::new();
        function.insert("name".into(), tool.name.as_str().into());
        if let Some(description) = &tool.description {
            function.insert("description".into(), description.as_str().into());
        }
        if let Some(parameters) = &tool.parameters {
            function.insert("parameters".into(), parsed(&format!("tools[{index}].parameters"), parameters)?);
        }
        if tool.strict {
            function.insert("strict".into(), true.into());
        }
        tools.push(json!({"type": "function", "function": function}));
    }
    draft.set("tools", tools);
    match &request.tool_choice {
        ToolChoice::Auto => {}
        ToolChoice::None => draft.set("tool_choice", "none"),
        ToolChoice::Required => draft.set("tool_choice", "required"),
        ToolChoice::Named(name) => {
            draft.set("tool_choice", json!({"type": "function", "function": {"name": name}}));
        }
    }
    draft.set_given("parallel_tool_calls", request.parallel_tool_calls);
    Ok(())
}

fn output(draft: &mut Draft<'_>) -> Result<(), Failure> {
    match &draft.request.output {
        Output::Text | Output::Grammar(_) => {}
        Output::Json => draft.set("response_format", json!({"type": "json_object"})),
        Output::Schema(schema) => {
            let name = schema.name.as_deref().unwrap_or("answer");
            let body = parsed("response_format.json_schema.schema", &schema.schema)?;
            let schema = json!({"name": name, "schema": body, "strict": schema.strict});
            draft.set("response_format", json!({"type": "json_schema", "json_schema": schema}));
        }
    }
    Ok(())
}

/// OpenAI has a word for how hard to think; templates of open models look at variables.
fn thinking(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if draft.route.extended {
        let values = request.template_values();
        let mut variables = Map::new();
        if let Some(thinks) = values.enable_thinking {
            variables.insert("enable_thinking".into(), thinks.into());
        }
        for (name, json) in &values.variables {
            variables.insert(name.clone(), parsed(&format!("chat_template_kwargs.{name}"), json)?);
        }
        if !variables.is_empty() {
            draft.set("chat_template_kwargs", Value::Object(variables));
        }
        return Ok(());
    }
    draft.drop_template_options();
    let is_asked = request.thinking != Thinking::Default;
    if draft.route.thinking.is_none() {
        draft.drop_given([(is_asked && request.thinking != Thinking::Off, "thinking")]);
    } else if is_asked {
        draft.set("reasoning_effort", request.thinking.effort().map_or("none", effort_word));
    }
    Ok(())
}

/// Returns OpenAI's word for an effort.
pub(in crate::provider) fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}

/// OpenAI takes no more; open servers do.
const STOPS_MAX: usize = 4;
