//! `POST /api/v1/chat` and `POST /api/v1/chat/stream`: the request.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, FailureKind, Prompt, Thinking};

use super::PROVIDER;
use super::tool::tools;
use crate::fields::{Fields, mismatch};
use crate::openai;
use crate::{Call, Delivery, Ignored};

/// Parses the body of a chat. Whether it is answered whole or in events, its route says.
///
/// # Errors
///
/// Names the field at fault unless the body as a whole is wrong.
pub fn parse_chat(body: &[u8]) -> Result<Call<ChatRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    let messages = openai::messages(&mut fields, &mut ignored)?;
    let mut request = ChatRequest::new(Prompt::Messages(messages));
    request.sampling = openai::sampling(&mut fields)?;
    request.stop = openai::stop(&mut fields)?;
    request.max_tokens = openai::max_tokens(&mut fields, &["max_tokens"], None)?;
    tools(&mut fields, &mut request, &mut ignored)?;
    request.output = openai::output(&mut fields, &mut ignored)?;
    request.thinking = thinking(&mut fields, &mut ignored)?;
    here(&mut fields)?;
    let model = openai::model(&mut fields)?.filter(|model| model != LOCAL);
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Takes `thinking`: `{"enabled": true, "budget_tokens": 10000}`, or an effort as a word.
fn thinking(fields: &mut Fields, ignored: &mut Ignored) -> Result<Thinking, Failure> {
    let value = match fields.take("thinking") {
        None => return Ok(Thinking::Default),
        Some(Value::String(word)) => match openai::effort(&word) {
            Some(thinking) => return Ok(thinking),
            None => Value::String(word),
        },
        Some(value) => value,
    };
    if !value.is_object() {
        let expected =
            "an object, or one of \"none\", \"minimal\", \"low\", \"medium\", \"high\" and \"max\"";
        return Err(mismatch("thinking".into(), expected, &value));
    }
    let mut thinking = Fields::open("thinking".into(), value)?;
    let is_on = thinking.flag("enabled")?.unwrap_or(true);
    let budget = thinking.integer("budget_tokens", 1..=i64::from(i32::MAX))?;
    thinking.ignore_rest("thinking", ignored);
    let budget = budget.and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(BUDGET);
    Ok(if is_on { Thinking::Budget(budget) } else { Thinking::Off })
}

/// Takes what limits where a request may be answered. All answers come from this process, which is free of charge and
/// within every tier; a provider that is not here cannot answer.
fn here(fields: &mut Fields) -> Result<(), Failure> {
    if let Some(tier) = fields.text("privacy", 32)?
        && !TIERS.contains(&tier.as_str())
    {
        let message = "`privacy` must be \"sovereign\", \"private\" or \"standard\"";
        return Err(Failure::invalid("privacy", message));
    }
    fields.flag("sovereign")?;
    fields.number("cost_max", 0.0..=1e6)?;
    if let Some(fallback) = fields.text("fallback", 32)?
        && !["allowed", "off"].contains(&fallback.as_str())
    {
        return Err(Failure::invalid("fallback", "`fallback` must be \"allowed\" or \"off\""));
    }
    match fields.text("provider", 64)? {
        Some(provider) if provider != PROVIDER => {
            let message =
                format!("there is no provider {provider:?} here; {PROVIDER:?} answers in this process");
            let failure = Failure::new(FailureKind::ModelUnknown, message);
            Err(Failure { field: Some("provider".into()), ..failure })
        }
        _ => Ok(()),
    }
}

/// The name of whatever model answers here.
pub(super) const LOCAL: &str = "local";
const TIERS: [&str; 3] = ["sovereign", "private", "standard"];
/// The tokens that a model may think with where thinking is asked for without a number.
const BUDGET: u32 = 10_000;

#[cfg(test)]
mod tests {
    use stack_chat::{Effort, Output, ToolChoice};

    use super::*;

    fn parse(more: &str) -> Result<Call<ChatRequest>, Failure> {
        let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{more}}}"#);
        parse_chat(body.as_bytes())
    }

    #[test]
    fn everything_that_can_be_said_arrives() {
        let call = parse(
            r#", "model": "m", "temperature": 0, "max_tokens": 5, "stop": "x", "tools": [{"name": "f"}],
                "tool_choice": "required", "response_format": {"type": "json_object"}, "user": "u",
                "privacy": "sovereign", "sovereign": true, "provider": "engine", "fallback": "off", "cost_max": 0"#,
        )
        .unwrap();
        assert_eq!((call.model.as_deref(), call.request.max_tokens), (Some("m"), Some(5)));
        assert_eq!((call.request.tool_choice, call.request.output), (ToolChoice::Required, Output::Json));
        assert_eq!(call.ignored.header_value().as_deref(), Some("user"));
        assert_eq!(parse(r#", "model": "local""#).unwrap().model, None);
    }

    #[test]
    fn thinking_is_a_budget_or_an_effort() {
        for (json, want) in [
            (r#"{"enabled": true}"#, Thinking::Budget(10_000)),
            (r#"{"budget_tokens": 9}"#, Thinking::Budget(9)),
            (r#"{"enabled": false, "budget_tokens": 9}"#, Thinking::Off),
            (r#""none""#, Thinking::Off),
            (r#""high""#, Thinking::Effort(Effort::High)),
            ("null", Thinking::Default),
        ] {
            assert_eq!(parse(&format!(r#", "thinking": {json}"#)).unwrap().request.thinking, want, "{json}");
        }
    }

    #[test]
    fn who_cannot_answer_and_what_cannot_be_meant_is_refused_by_name() {
        for (json, field) in [
            (r#", "privacy": "secret""#, "privacy"),
            (r#", "privacy": 1"#, "privacy"),
            (r#", "sovereign": "yes""#, "sovereign"),
            (r#", "cost_max": -1"#, "cost_max"),
            (r#", "fallback": "maybe""#, "fallback"),
            (r#", "provider": "openai""#, "provider"),
            (r#", "thinking": true"#, "thinking"),
            (r#", "thinking": {"budget_tokens": 0}"#, "thinking.budget_tokens"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
        assert_eq!(parse_chat(b"{}").unwrap_err().field.as_deref(), Some("messages"));
    }
}
