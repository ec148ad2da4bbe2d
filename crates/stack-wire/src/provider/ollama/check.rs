//! What Ollama says about one of its models, as far as it matters who answers.

use serde_json::{Value, json};

/// The question whether a model runs where the server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCheck {
    model: String,
}

impl ModelCheck {
    /// The path of the question.
    pub const PATH: &str = "/api/show";
    /// Its headers.
    pub const HEADERS: [(&str, &str); 2] =
        [("content-type", "application/json"), ("accept", "application/json")];

    /// Asks about a model.
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned() }
    }

    /// Returns the body of the question.
    pub fn body(&self) -> String {
        json!({"model": self.model}).to_string()
    }

    /// Returns to whom the server sends prompts for the model, from the body of its reply. A reply that cannot be read
    /// says that there is somebody, too: whoever asks must not send what has to stay.
    pub fn forwarded_to(body: &[u8]) -> Option<String> {
        let unreadable = || Some("somebody whom its reply does not tell".to_owned());
        if crate::limits::check(body).is_err() {
            return unreadable();
        }
        let Ok(Value::Object(reply)) = serde_json::from_slice::<Value>(body) else { return unreadable() };
        ["remote_host", "remote_model"].iter().find_map(|name| match reply.get(*name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.chars().take(SHOWN_CHARS_MAX).collect()),
            Some(_) => unreadable(),
        })
    }
}

const SHOWN_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reply_that_says_nothing_of_others_says_that_there_are_none() {
        for (body, forwarded) in [
            (r#"{"details":{}}"#, false),
            (r#"{"remote_host":"","remote_model":null}"#, false),
            (r#"{"remote_host":"https://ollama.com:443"}"#, true),
            (r#"{"remote_model":"gpt-oss:120b"}"#, true),
            (r#"{"remote_host":7}"#, true),
            ("[]", true),
            ("", true),
            ("{", true),
        ] {
            assert_eq!(ModelCheck::forwarded_to(body.as_bytes()).is_some(), forwarded, "{body}");
        }
        assert!(ModelCheck::forwarded_to("[".repeat(100).as_bytes()).is_some());
    }
}
