//! What a response repeats of its request.

use serde_json::{Map, Value, json};

/// The fields of a request that its response repeats, as the caller wrote them.
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
        Self(repeated)
    }

    /// Starts a response that repeats this.
    pub(super) fn response(&self, id: &str, created_s: u64, model: &str, status: &str) -> Value {
        let mut response = json!({
            "id": id,
            "object": "response",
            "created_at": created_s,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "model": model,
            "output": [],
            "truncation": "disabled",
            "usage": null,
        });
        if let Some(response) = response.as_object_mut() {
            response.extend(self.0.clone());
        }
        response
    }
}

/// What is repeated, and what it is where the request says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
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
        let fields =
            json!({"temperature": 0.5, "tools": [{"type": "function"}], "text": null, "input": "Hi"});
        let response = Echo::of(fields.as_object().unwrap(), true).response("r", 7, "m", "completed");
        assert_eq!(
            (&response["temperature"], &response["tools"]),
            (&json!(0.5), &json!([{"type": "function"}]))
        );
        assert_eq!(
            (&response["text"]["format"]["type"], &response["tool_choice"]),
            (&json!("text"), &json!("auto"))
        );
        assert_eq!((response.get("input"), &response["created_at"]), (None, &json!(7)));
        assert_eq!((&response["store"], &response["previous_response_id"]), (&json!(true), &Value::Null));
    }
}
