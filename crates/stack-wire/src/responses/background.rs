//! Responses that are made while nobody waits for them: what is told of them before they are complete.

use serde_json::json;
use stack_chat::Failure;

use super::error::error_value;
use super::writer::Reply;

impl Reply {
    /// Renders a response that has begun.
    pub fn begun(&self) -> String {
        self.response("in_progress").to_string()
    }

    /// Renders a response that failed.
    pub fn failed(&self, failure: &Failure) -> String {
        let mut response = self.response("failed");
        response["error"] = error_value(failure);
        response["output"] = json!([]);
        response.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::responses::{Echo, ReplyOptions};

    #[test]
    fn a_response_that_failed_says_why_but_not_what_is_only_for_the_log() {
        let echo = Echo::of(json!({"background": true}).as_object().unwrap(), true);
        let options = ReplyOptions::default();
        let reply = Reply { unique: "1".into(), created_s: 7, model: "m".into(), echo, options };
        let begun: Value = serde_json::from_str(&reply.begun()).unwrap();
        assert_eq!((&begun["id"], &begun["status"]), (&json!("resp_1"), &json!("in_progress")));
        assert_eq!((&begun["background"], &begun["store"]), (&json!(true), &json!(true)));
        let failed = reply.failed(&Failure::internal("secret"));
        assert!(failed.contains("\"status\":\"failed\"") && failed.contains("server_error"), "{failed}");
        assert!(!failed.contains("secret"));
    }
}
