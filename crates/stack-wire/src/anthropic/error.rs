//! Errors in Anthropic's shape.

use serde_json::json;
use stack_chat::FailureKind;

use crate::Problem;

/// Renders `{"type": "error", "error": {…}}`, with the identifier of the request where it is known.
pub fn error_object(problem: &Problem, request_id: Option<&str>) -> String {
    let error = json!({"type": kind_word(problem), "message": message(problem)});
    match request_id {
        Some(id) => json!({"type": "error", "error": error, "request_id": id}),
        None => json!({"type": "error", "error": error}),
    }
    .to_string()
}

/// Returns the HTTP status, which for a model without room is one of Anthropic's own.
pub fn status(problem: &Problem) -> u16 {
    match problem.failure.kind {
        FailureKind::Overloaded | FailureKind::QueueFull => 529,
        _ => problem.status,
    }
}

fn kind_word(problem: &Problem) -> &'static str {
    match status(problem) {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Clients of this dialect read the sentence to learn that a prompt is too long, so it says so in Anthropic's words.
fn message(problem: &Problem) -> String {
    match problem.failure.overflow {
        Some(overflow) => {
            format!("prompt is too long: {} tokens > {} maximum", overflow.prompt_tokens, overflow.context)
        }
        None => problem.failure.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use stack_chat::{Failure, Overflow};

    use super::*;

    #[test]
    fn each_kind_has_its_status_and_type() {
        for (kind, code, word) in [
            (FailureKind::InvalidRequest, 400, "invalid_request_error"),
            (FailureKind::Unauthenticated, 401, "authentication_error"),
            (FailureKind::BudgetExceeded, 402, "billing_error"),
            (FailureKind::AccessDenied, 403, "permission_error"),
            (FailureKind::ModelUnknown, 404, "not_found_error"),
            (FailureKind::RateLimited, 429, "rate_limit_error"),
            (FailureKind::Internal, 500, "api_error"),
            (FailureKind::ServerError, 502, "api_error"),
            (FailureKind::Loading, 503, "overloaded_error"),
            (FailureKind::Timeout, 504, "timeout_error"),
            (FailureKind::QueueFull, 529, "overloaded_error"),
        ] {
            let problem = Problem::from(Failure::new(kind, "why"));
            let error: Value = serde_json::from_str(&error_object(&problem, None)).unwrap();
            assert_eq!((status(&problem), &error["error"]["type"]), (code, &json!(word)));
            assert_eq!(error["type"], "error");
        }
        let long = Problem::new(413, "request_too_large", Failure::invalid("b", "long"));
        assert!(error_object(&long, Some("r")).contains("\"request_too_large\""));
    }

    #[test]
    fn a_prompt_that_is_too_long_is_said_in_the_words_that_clients_look_for() {
        let overflow = Overflow { prompt_tokens: 9, context: 8 };
        let problem = Problem::from(Failure::overflow(overflow, "x"));
        let text = error_object(&problem, Some("req_1"));
        assert_eq!(
            text,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"},"request_id":"req_1"}"#
        );
    }
}
