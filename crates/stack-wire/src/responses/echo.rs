//! What a response repeats of its request.

use serde_json::{Map, Value, json};
use stack_chat::Sampling;

use crate::provider::decimal;

/// What a response repeats of its request: each field as the caller wrote it, completed with what the caller left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo(Map<String, Value>);

impl Echo {
    /// Copies what is repeated from the fields of a request, and says whether its response is stored.
    pub(super) fn of(fields: &Map<String, Value>, is_stored: bool) -> Self {
        let repeated = DEFAULTS.iter().map(|(name, default)| {
            let given = fields.get(*name).filter(|value| !value.is_null()).cloned();
            let default = || serde_json::from_str(default).unwrap_or_default();
            ((*name).to_owned(), given.unwrap_or_else(default))
        });
        let mut repeated: Map<String, Value> = repeated.collect();
        repeated.insert("store".to_owned(), is_stored.into());
        fill(repeated.get_mut("text"), &[("format", r#"{"type":"text"}"#)]);
        if let Some(text) = repeated.get_mut("text").filter(|text| text["format"]["type"] == "json_schema") {
            fill(text.get_mut("format"), &[("name", "null"), ("description", "null"), ("strict", "false")]);
        }
        fill(repeated.get_mut("reasoning"), &[("effort", "null"), ("summary", "null")]);
        for tool in repeated.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
            if tool["type"] == "function" {
                let optional = [("description", "null"), ("parameters", "null"), ("strict", "false")];
                fill(Some(tool), &optional);
            }
        }
        Self(repeated)
    }

    /// Fills in what is used where the request leaves it open. What is not known here is as OpenAI documents it.
    #[must_use]
    pub fn completed(mut self, sampling: &Sampling) -> Self {
        for (name, known, otherwise) in [
            ("temperature", sampling.temperature, 1.0),
            ("top_p", sampling.top_p, 1.0),
            ("presence_penalty", sampling.presence_penalty, 0.0),
            ("frequency_penalty", sampling.frequency_penalty, 0.0),
        ] {
            if let Some(value) = self.0.get_mut(name).filter(|value| value.is_null()) {
                *value = decimal(known.unwrap_or(otherwise));
            }
        }
        self
    }

    /// Starts a response that repeats this.
    pub(super) fn response(&self, id: &str, created_s: u64, model: &str, status: &str) -> Value {
        let mut response = json!({
            "id": id,
            "object": "response",
            "created_at": created_s,
            "completed_at": null,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "model": model,
            "output": [],
            "service_tier": "default",
            "top_logprobs": 0,
            "truncation": "disabled",
            "usage": null,
        });
        if let Some(response) = response.as_object_mut() {
            response.extend(self.0.clone());
        }
        response
    }
}

/// Writes out what a request may leave out of an object.
fn fill(object: Option<&mut Value>, fields: &[(&str, &str)]) {
    let Some(object) = object.and_then(Value::as_object_mut) else { return };
    for (name, default) in fields {
        let value = object.entry(*name).or_insert(Value::Null);
        if value.is_null() {
            *value = serde_json::from_str(default).unwrap_or_default();
        }
    }
}

/// What is repeated, and what it is where the request says nothing. What objects among these hold then, `fill` writes.
const DEFAULTS: &[(&str, &str)] = &[
    ("background", "false"),
    ("frequency_penalty", "null"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("presence_penalty", "null"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", "{}"),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", "{}"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "null"),
    ("user", "null"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_said_is_repeated_and_the_rest_has_its_default() {
        let fields = json!({"temperature": 0.5, "tools": [{"type": "function", "name": "f"}], "text": null,
                            "reasoning": {"effort": "low"}, "input": "Hi"});
        let response = Echo::of(fields.as_object().unwrap(), true).response("r", 7, "m", "completed");
        assert_eq!(
            (&response["temperature"], &response["tools"]),
            (
                &json!(0.5),
                &json!([{"type": "function", "name": "f", "description": null, "parameters": null, "strict": false}])
            )
        );
        assert_eq!(
            (&response["text"]["format"]["type"], &response["tool_choice"]),
            (&json!("text"), &json!("auto"))
        );
        assert_eq!((response.get("input"), &response["created_at"]), (None, &json!(7)));
        assert_eq!((&response["store"], &response["previous_response_id"]), (&json!(true), &Value::Null));
        assert_eq!(response["reasoning"], json!({"effort": "low", "summary": null}));
    }

    #[test]
    fn what_is_used_is_told_where_nothing_was_said() {
        let echo = Echo::of(json!({"top_p": 0.5}).as_object().unwrap(), false);
        let sampling = Sampling { temperature: Some(0.8), top_p: Some(0.95), ..Sampling::default() };
        let response = echo.completed(&sampling).response("r", 7, "m", "completed");
        assert_eq!((&response["temperature"], &response["top_p"]), (&json!(0.8), &json!(0.5)));
        assert_eq!(response["presence_penalty"], json!(0.0));
    }
}
