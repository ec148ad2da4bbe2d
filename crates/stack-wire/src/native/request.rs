//! `POST /api/v1/chat` and `POST /api/v1/chat/stream`: the request.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Fallback, Money, Prompt, Thinking, Tier};

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
    request.tier = tier(&mut fields)?;
    request.cost_max = fields.number("cost_max", 0.0..=1e6)?.map(money);
    request.routing.fallback = fallback(&mut fields)?;
    let provider = provider(&mut fields)?;
    let model = openai::model(&mut fields)?.filter(|model| model != LOCAL);
    let model = match (provider, model) {
        (Some(provider), Some(model)) => Some(format!("{provider}/{model}")),
        // Without a name, a model of this process is meant anyway.
        (Some(provider), None) if provider == PROVIDER => None,
        (Some(_), None) => {
            let message = "`model` is required where `provider` says who answers";
            return Err(Failure::invalid("model", message));
        }
        (None, model) => model,
    };
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

/// Takes how far the request may reach: the strictest of what is said.
fn tier(fields: &mut Fields) -> Result<Option<Tier>, Failure> {
    let named = match fields.text("privacy", 32)? {
        None => None,
        Some(name) => Some(Tier::from_name(&name).ok_or_else(|| {
            let message = "`privacy` must be \"sovereign\", \"private\" or \"standard\"";
            Failure::invalid("privacy", message)
        })?),
    };
    let is_sovereign = fields.flag("sovereign")?.unwrap_or(false);
    Ok(is_sovereign.then_some(Tier::Sovereign).into_iter().chain(named).min())
}

/// Takes whether another model may stand in for one that fails.
fn fallback(fields: &mut Fields) -> Result<Fallback, Failure> {
    match fields.text("fallback", 32)?.as_deref() {
        None | Some("allowed") => Ok(Fallback::Allowed),
        Some("off") => Ok(Fallback::Off),
        Some(_) => Err(Failure::invalid("fallback", "`fallback` must be \"allowed\" or \"off\"")),
    }
}

/// Takes who is to answer.
fn provider(fields: &mut Fields) -> Result<Option<String>, Failure> {
    fields.text("provider", 64)
}

/// Brings an amount into the unit of money.
fn money(dollars: f32) -> Money {
    Money((f64::from(dollars) * 1e10).round() as i64)
}

/// The name of whatever model answers here.
pub(super) const LOCAL: &str = "local";
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
        assert_eq!((call.model.as_deref(), call.request.max_tokens), (Some("engine/m"), Some(5)));
        assert_eq!((call.request.tool_choice, call.request.output), (ToolChoice::Required, Output::Json));
        assert_eq!(call.ignored.header_value().as_deref(), Some("user"));
        assert_eq!((call.request.tier, call.request.cost_max), (Some(Tier::Sovereign), Some(Money(0))));
        assert_eq!(call.request.routing.fallback, Fallback::Off);
        assert_eq!(parse(r#", "model": "local""#).unwrap().model, None);
    }

    #[test]
    fn a_provider_is_a_part_of_the_models_name() {
        let call = parse(r#", "model": "m-1", "provider": "acme", "cost_max": 0.25"#).unwrap();
        assert_eq!(call.model.as_deref(), Some("acme/m-1"));
        assert_eq!(call.request.cost_max, Some(Money(2_500_000_000)));
    }

    #[test]
    fn of_two_tiers_the_stricter_one_counts() {
        for (json, tier) in [
            (r#", "privacy": "private""#, Some(Tier::Private)),
            (r#", "privacy": "standard", "sovereign": true"#, Some(Tier::Sovereign)),
            (r#", "sovereign": false"#, None),
        ] {
            assert_eq!(parse(json).unwrap().request.tier, tier, "{json}");
        }
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
            (r#", "provider": "openai""#, "model"),
            (r#", "thinking": true"#, "thinking"),
            (r#", "thinking": {"budget_tokens": 0}"#, "thinking.budget_tokens"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
        assert_eq!(parse_chat(b"{}").unwrap_err().field.as_deref(), Some("messages"));
    }
}
