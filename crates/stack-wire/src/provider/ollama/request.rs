//! Requests.

use serde_json::{Map, Value, json};
use stack_chat::{Effort, Failure, Message, Output, Part, Role, Thinking, ToolChoice, Unused};

use crate::provider::call_ids::CallIds;
use crate::provider::draft::{
    Draft, arguments, decimal, is_forced, no_place, parameters, parsed, unknown_role,
};
use crate::provider::payload::Payload;
use crate::provider::{Change, ProviderRequest, ThinkingForm};

/// Renders a request.
pub(in crate::provider) fn render(mut draft: Draft<'_>) -> Result<ProviderRequest, Failure> {
    draft.set("model", draft.route.model.as_str());
    let messages = messages(&mut draft)?;
    draft.set("messages", messages);
    // Without the field it streams.
    draft.set("stream", draft.streams());
    options(&mut draft);
    tools(&mut draft)?;
    match &draft.request.output {
        Output::Text | Output::Grammar(_) => {}
        Output::Json => draft.set("format", "json"),
        Output::Schema(schema) => {
            let schema = parsed("format", &schema.schema)?;
            draft.set("format", schema);
        }
    }
    thinking(&mut draft);
    draft.drop_names();
    draft.drop_template_options();
    draft.into_request("/api/chat".to_owned(), &[])
}

fn messages(draft: &mut Draft<'_>) -> Result<Vec<Value>, Failure> {
    let ids = CallIds::of(draft.messages, usize::MAX);
    let mut rendered = Vec::with_capacity(draft.messages.len());
    for (index, message) in draft.messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let role = match &message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => {
                for part in &message.parts {
                    let Part::ToolResult(result) = part else { return Err(no_place(&at, part.noun())) };
                    if result.is_error {
                        draft.unused(Unused::ToolErrors);
                    }
                    let tool = result.name.as_deref().or_else(|| ids.tool(&result.call)).unwrap_or_default();
                    let content = texts(draft, &at, &result.parts)?;
                    rendered.push(json!({"role": "tool", "tool_name": tool, "content": content}));
                }
                continue;
            }
            other @ Role::Other(_) => return Err(unknown_role(index, other)),
        };
        rendered.push(said(draft, &at, role, message)?);
    }
    Ok(rendered)
}

/// Renders what somebody says: the texts joined, the pictures beside them.
fn said(draft: &mut Draft<'_>, at: &str, role: &str, message: &Message) -> Result<Value, Failure> {
    let (mut images, mut calls) = (Vec::new(), Vec::new());
    let mut spoken = Vec::new();
    for (place, part) in message.parts.iter().enumerate() {
        let field = format!("{at}.content[{place}]");
        match part {
            Part::Image(media) if role == "user" => {
                images.push(Payload::inline(&field, media, draft.route)?.base64);
            }
            Part::ToolCall(call) => {
                let arguments = arguments(&field, &call.arguments)?;
                calls.push(json!({"function": {"name": call.name, "arguments": arguments}}));
            }
            Part::Thinking(_) => {}
            part => spoken.push(part.clone()),
        }
    }
    let mut object = Map::new();
    object.insert("role".into(), role.into());
    object.insert("content".into(), texts(draft, at, &spoken)?.into());
    if let Some(thought) = message.thinking() {
        object.insert("thinking".into(), thought.into());
    }
    if !images.is_empty() {
        object.insert("images".into(), images.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
    Ok(object.into())
}

/// Joins texts. Nothing comes of marks, and of what another interface wants back.
fn texts(draft: &mut Draft<'_>, at: &str, parts: &[Part]) -> Result<String, Failure> {
    for (place, part) in parts.iter().enumerate() {
        match part {
            Part::Text(_) | Part::Refusal(_) => {}
            Part::CacheMark(_) => draft.change(Change::Dropped("cache_control")),
            Part::Opaque(opaque) => draft.change(Change::OpaqueDropped(opaque.origin.clone())),
            part => return Err(no_place(&format!("{at}.content[{place}]"), part.noun())),
        }
    }
    Ok(Part::text(parts).unwrap_or_default())
}

fn options(draft: &mut Draft<'_>) {
    let request = draft.request;
    let sampling = &request.sampling;
    let mut options = Map::new();
    for (name, number) in [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("min_p", sampling.min_p),
        ("typical_p", sampling.typical_p),
        ("repeat_penalty", sampling.repeat_penalty),
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
    ] {
        if let Some(number) = number {
            options.insert(name.into(), decimal(number));
        }
    }
    for (name, number) in [
        ("top_k", sampling.top_k),
        ("repeat_last_n", sampling.repeat_last_n),
        ("num_predict", request.max_tokens),
    ] {
        if let Some(number) = number {
            options.insert(name.into(), number.into());
        }
    }
    if let Some(seed) = sampling.seed {
        options.insert("seed".into(), seed.into());
    }
    if !request.stop.is_empty() {
        options.insert("stop".into(), request.stop.clone().into());
    }
    if !options.is_empty() {
        draft.set("options", options);
    }
    draft.drop_given([
        (sampling.xtc.is_some(), "xtc"),
        (sampling.dry.is_some(), "dry"),
        (!sampling.logit_bias.is_empty(), "logit_bias"),
    ]);
}

/// The interface cannot demand a call, so a request that does is refused rather than answered without one.
fn tools(draft: &mut Draft<'_>) -> Result<(), Failure> {
    let request = draft.request;
    if is_forced(&request.tool_choice) {
        let message = "`tool_choice` demands a call, which this provider cannot be asked for";
        return Err(Failure::unsupported("tool_choice", message));
    }
    if request.tools.is_empty() || request.tool_choice == ToolChoice::None {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        if tool.strict {
            draft.unused(Unused::StrictTools);
        }
        let description = tool.description.as_deref().unwrap_or_default();
        let parameters = parameters(index, tool)?;
        let function = json!({"name": tool.name, "description": description, "parameters": parameters});
        tools.push(json!({"type": "function", "function": function}));
    }
    draft.set("tools", tools);
    if request.parallel_tool_calls == Some(false) {
        draft.unused(Unused::ParallelToolCalls);
    }
    Ok(())
}

/// A model that cannot think refuses the field, even to say that it need not.
fn thinking(draft: &mut Draft<'_>) {
    let asked = draft.request.thinking;
    match (draft.route.thinking, asked) {
        (_, Thinking::Default) => {}
        (None, _) => draft.drop_given([(asked != Thinking::Off, "thinking")]),
        (Some(_), Thinking::Off) => draft.set("think", false),
        (Some(ThinkingForm::Budget), _) => draft.set("think", true),
        (Some(ThinkingForm::Effort), _) => {
            let word = match asked.effort() {
                Some(Effort::Minimal | Effort::Low) => "low",
                Some(Effort::High | Effort::Max) => "high",
                Some(Effort::Medium) | None => "medium",
            };
            draft.set("think", word);
        }
    }
}
