//! Requests.

use serde_json::{Map, Value, json};
use stack_chat::{Failure, Output, Thinking, ToolChoice};

use super::input;
use crate::provider::ProviderRequest;
use crate::provider::draft::{Draft, parameters, parsed};
use crate::provider::openai_chat::effort_word;

/// Renders a request.
pub(in crate::provider) fn render(mut draft: Draft<'_>) -> Result<ProviderRequest, Failure> {
    let request = draft.request;
    draft.set("model", draft.route.model.as_str());
    let (instructions, items) = input::input(&mut draft)?;
    draft.set_given("instructions", instructions);
    draft.set("input", items);
    // Otherwise the provider keeps what was said, which nobody asked it to.
    draft.set("store", false);
    if draft.streams() {
        draft.set("stream", true);
    }
    draft.set_given("max_output_tokens", request.max_tokens);
    if !request.stop.is_empty() {
        let message = "`stop` holds texts to stop at, which this interface does not have";
        return Err(Failure::unsupported("stop", message));
    }
    sampling(&mut draft);
    tools(&mut draft)?;
    output(&mut draft)?;
    thinking(&mut draft);
    draft.drop_names();
    draft.drop_template_options();
    draft.into_request("/v1/responses".to_owned(), &[])
}

fn sampling(draft: &mut Draft<'_>) {
    let sampling = &draft.request.sampling;
    draft.set_number("temperature", sampling.temperature);
    draft.set_number("top_p", sampling.top_p);
    draft.drop_given([
        (sampling.seed.is_some(), "seed"),
        (sampling.top_k.is_some(), "top_k"),
        (sampling.min_p.is_some(), "min_p"),
        (sampling.typical_p.is_some(), "typical_p"),
        (sampling.frequency_penalty.is_some(), "frequency_penalty"),
        (sampling.presence_penalty.is_some(), "presence_penalty"),
        (sampling.repeat_penalty.is_some(), "repeat_penalty"),
        (sampling.repeat_last_n.is_some(), "repeat_last_n"),
        (sampling.xtc.is_some(), "xtc"),
        (sampling.dry.is_some(), "dry"),
        (!sampling.logit_bias.is_empty(), "logit_bias"),
    ]);
}

fn tools(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if request.tools.is_empty() {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        let mut object = Map::new();
        object.insert("type".into(), "function".into());
        object.insert("name".into(), tool.name.as_str().into());
        if let Some(description) = &tool.description {
            object.insert("description".into(), description.as_str().into());
        }
        object.insert("parameters".into(), parameters(index, tool)?);
        // Without the field it is taken to be strict.
        object.insert("strict".into(), tool.strict.into());
        tools.push(Value::Object(object));
    }
    draft.set("tools", tools);
    match &request.tool_choice {
        ToolChoice::Auto => {}
        ToolChoice::None => draft.set("tool_choice", "none"),
        ToolChoice::Required => draft.set("tool_choice", "required"),
        ToolChoice::Named(name) => draft.set("tool_choice", json!({"type": "function", "name": name})),
    }
    draft.set_given("parallel_tool_calls", request.parallel_tool_calls);
    Ok(())
}

fn output(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let format = match &draft.request.output {
        Output::Text | Output::Grammar(_) => return Ok(()),
        Output::Json => json!({"type": "json_object"}),
        Output::Schema(schema) => {
            let name = schema.name.as_deref().unwrap_or("answer");
            let body = parsed("text.format.schema", &schema.schema)?;
            json!({"type": "json_schema", "name": name, "schema": body, "strict": schema.strict})
        }
    };
    draft.set("text", json!({"format": format}));
    Ok(())
}

/// A provider that keeps nothing has to hand out what it thought, or it will not know it in the next turn.
fn thinking(draft: &mut Draft<'_>) {
    let asked = draft.request.thinking;
    if draft.route.thinking.is_none() {
        draft.drop_given([(!matches!(asked, Thinking::Default | Thinking::Off), "thinking")]);
        return;
    }
    draft.set("include", json!(["reasoning.encrypted_content"]));
    match asked.effort() {
        Some(effort) => {
            draft.set("reasoning", json!({"effort": effort_word(effort), "summary": "auto"}));
        }
        None if asked == Thinking::Off => draft.set("reasoning", json!({"effort": "none"})),
        None => {}
    }
}
