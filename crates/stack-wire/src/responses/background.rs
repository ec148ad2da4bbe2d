//! Responses as they are kept: one that nobody waits for is told before it is complete, or when it failed.

use stack_chat::Failure;

use super::error::error_value;
use super::stored::{StoredItem, StoredResponse};
use super::writer::Reply;
use crate::Answer;

impl Reply {
    /// Makes the response to `input` that has begun.
    pub fn begun(&self, input: Vec<StoredItem>) -> StoredResponse {
        StoredResponse::new(input, self.response("in_progress"))
    }

    /// Makes the response to `input` that `answer` is.
    pub fn answered(&self, input: Vec<StoredItem>, answer: &Answer) -> StoredResponse {
        StoredResponse::new(input, self.complete(answer))
    }

    /// Makes the response to `input` that failed.
    pub fn failed(&self, input: Vec<StoredItem>, failure: &Failure) -> StoredResponse {
        let mut response = self.response("failed");
        response["error"] = error_value(failure);
        StoredResponse::new(input, response)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::responses::{Echo, ReplyOptions};

    #[test]
    fn a_response_that_failed_says_why_but_not_what_is_only_for_the_log() {
        let echo = Echo::of(json!({"background": true}).as_object().unwrap(), true);
        let options = ReplyOptions::default();
        let reply = Reply { unique: "1".into(), created_s: 7, model: "m".into(), echo, options };
        let begun: Value = serde_json::from_str(reply.begun(Vec::new()).body()).unwrap();
        assert_eq!((&begun["id"], &begun["status"]), (&json!("resp_1"), &json!("in_progress")));
        assert_eq!((&begun["background"], &begun["store"]), (&json!(true), &json!(true)));
        let failed = reply.failed(Vec::new(), &Failure::internal("secret"));
        let said: Value = serde_json::from_str(failed.body()).unwrap();
        assert_eq!((&said["status"], &said["output"]), (&json!("failed"), &json!([])));
        assert_eq!(said["error"]["code"], "server_error");
        assert!(!failed.body().contains("secret"));
    }
}
