//! Requests.

use serde_json::{Map, Value, json};
use stack_chat::{Effort, Failure, Message, Output, Part, Role, Thinking, ToolChoice};

use super::message;
use crate::provider::draft::{Draft, decimal, is_forced, parameters, parsed};
use crate::provider::{Change, ProviderRequest, ThinkingForm};

/// Renders a request.
pub(in crate::provider) fn render(mut draft: Draft<'_>) -> Result<ProviderRequest, Failure> {
    draft.set("model", draft.route.model.as_str());
    let output_tokens = output_tokens(&mut draft);
    draft.set("max_tokens", output_tokens);
    let (system, messages) = message::messages(&mut draft)?;
    if !system.is_empty() {
        draft.set("system", system);
    }
    draft.set("messages", messages);
    if draft.streams() {
        draft.set("stream", true);
    }
    tools(&mut draft)?;
    let mut config = Map::new();
    let thinks = thinking(&mut draft, output_tokens, &mut config);
    sampling(&mut draft, thinks);
    output(&mut draft, &mut config)?;
    if !config.is_empty() {
        draft.set("output_config", config);
    }
    draft.drop_names();
    draft.drop_template_options();
    draft.into_request("/v1/messages".to_owned(), &[("anthropic-version", VERSION)])
}

/// The interface demands a limit, and no model takes one above its own.
fn output_tokens(draft: &mut Draft<'_>) -> u32 {
    let limit = draft.route.output_tokens_max;
    let wanted = draft.request.max_tokens.or(limit).unwrap_or(OUTPUT_TOKENS);
    match limit {
        Some(limit) if wanted > limit => {
            draft.change(Change::Adjusted("max_tokens"));
            limit
        }
        _ => wanted,
    }
}

fn tools(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if request.tools.is_empty() {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        let mut object = Map::new();
        object.insert("name".into(), tool.name.as_str().into());
        if let Some(description) = &tool.description {
            object.insert("description".into(), description.as_str().into());
        }
        object.insert("input_schema".into(), parameters(index, tool)?);
        if tool.strict {
            object.insert("strict".into(), true.into());
        }
        tools.push(Value::Object(object));
    }
    draft.set("tools", tools);
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let mut choice = match &request.tool_choice {
        ToolChoice::Auto if !one_at_a_time => return Ok(()),
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
    };
    if one_at_a_time && request.tool_choice != ToolChoice::None {
        choice["disable_parallel_tool_use"] = true.into();
    }
    draft.set("tool_choice", choice);
    Ok(())
}

/// Says how much to think, and returns whether the model is told to.
fn thinking(draft: &mut Draft<'_>, output_tokens: u32, config: &mut Map<String, Value>) -> bool {
    let asked = draft.request.thinking;
    let Some(form) = draft.route.thinking else {
        draft.drop_given([(!matches!(asked, Thinking::Default | Thinking::Off), "thinking")]);
        return false;
    };
    match (asked, asked.effort()) {
        (Thinking::Off, _) => draft.set("thinking", json!({"type": "disabled"})),
        (_, None) => {}
        // A model that thinks cannot be made to call a tool, and the call was asked for outright.
        _ if is_forced(&draft.request.tool_choice) => draft.change(Change::Dropped("thinking")),
        // It goes on from thoughts of its own to the results of its calls, or does not think.
        _ if lacks_thought(draft) => draft.change(Change::Dropped("thinking")),
        (_, Some(effort)) if form == ThinkingForm::Effort => {
            draft.set("thinking", json!({"type": "adaptive"}));
            config.insert("effort".into(), effort_word(effort).into());
            return true;
        }
        (_, Some(effort)) => {
            // What is thought counts as output, and the answer needs room, too.
            let room = output_tokens - output_tokens / 4;
            let wanted = match asked {
                Thinking::Budget(tokens) => tokens,
                _ => effort.budget().unwrap_or(room),
            };
            let budget = wanted.max(BUDGET_MIN);
            if room < BUDGET_MIN {
                draft.change(Change::Dropped("thinking"));
                return false;
            }
            if budget > room || budget != wanted {
                draft.change(Change::Adjusted("thinking"));
            }
            draft.set("thinking", json!({"type": "enabled", "budget_tokens": budget.min(room)}));
            return true;
        }
    }
    false
}

/// Whether the last messages are results of calls, and the thought before the calls is lost: the caller's dialect had no place
/// for its signature, or another model made them.
fn lacks_thought(draft: &Draft<'_>) -> bool {
    let is_result = |message: &&Message| {
        message.role == Role::Tool || message.parts.iter().any(|part| matches!(part, Part::ToolResult(_)))
    };
    let results = draft.messages.iter().rev().take_while(is_result).count();
    let Some(caller) = draft.messages.iter().rev().nth(results).filter(|_| results > 0) else { return false };
    let origin = draft.route.origin();
    !caller.parts.iter().any(|part| matches!(part, Part::Opaque(opaque) if opaque.origin == origin))
}

/// A model that thinks draws its tokens by its own rules, and refuses others.
fn sampling(draft: &mut Draft<'_>, thinks: bool) {
    let request = draft.request;
    let sampling = &request.sampling;
    if thinks {
        draft.drop_given([
            (sampling.temperature.is_some(), "temperature"),
            (sampling.top_p.is_some(), "top_p"),
            (sampling.top_k.is_some(), "top_k"),
        ]);
    } else {
        if let Some(temperature) = sampling.temperature {
            if temperature > 1.0 {
                draft.change(Change::Adjusted("temperature"));
            }
            draft.set("temperature", decimal(temperature.min(1.0)));
            // Newer models take one of the two.
            draft.drop_given([(sampling.top_p.is_some(), "top_p")]);
        } else {
            draft.set_number("top_p", sampling.top_p);
        }
        draft.set_given("top_k", sampling.top_k);
    }
    draft.drop_given([
        (sampling.seed.is_some(), "seed"),
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
    if !request.stop.is_empty() {
        draft.set("stop_sequences", request.stop.clone());
    }
}

fn output(draft: &mut Draft<'_>, config: &mut Map<String, Value>) -> Result<(), Failure> {
    match &draft.request.output {
        Output::Text | Output::Grammar(_) => Ok(()),
        Output::Json => {
            let message = "this provider writes JSON only by a schema; give one in `response_format`";
            Err(Failure::unsupported("response_format", message))
        }
        Output::Schema(schema) => {
            let schema = parsed("response_format.json_schema.schema", &schema.schema)?;
            config.insert("format".into(), json!({"type": "json_schema", "schema": schema}));
            Ok(())
        }
    }
}

fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "max",
    }
}

/// The version of the interface that these codecs speak.
const VERSION: &str = "2023-06-01";
/// How much a model may write of which nobody knows how much it can.
const OUTPUT_TOKENS: u32 = 8192;
/// The interface takes no smaller budget.
const BUDGET_MIN: u32 = 1024;
