//! Errors in OpenAI's shape.

use serde_json::{Value, json};
use stack_chat::FailureKind;

use crate::Problem;

/// Renders `{"error": {…}}`. For a prompt that is too long it also says by how much, with the names of llama-server.
pub fn error_object(problem: &Problem) -> String {
    let failure = &problem.failure;
    let mut error = json!({
        "message": failure.message,
        "type": kind_word(problem),
        "param": failure.field,
        "code": problem.code,
    });
    if let Some(overflow) = failure.overflow {
        error["n_prompt_tokens"] = Value::from(overflow.prompt_tokens);
        error["n_ctx"] = Value::from(overflow.context);
    }
    json!({"error": error}).to_string()
}

fn kind_word(problem: &Problem) -> &'static str {
    match problem.status {
        _ if problem.failure.kind == FailureKind::ContextExceeded => "exceed_context_size_error",
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 => "unavailable_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Failure, Overflow};

    use super::*;

    fn object(failure: Failure) -> Value {
        serde_json::from_str(&error_object(&Problem::from(failure))).unwrap()
    }

    #[test]
    fn each_kind_has_its_type_and_code() {
        for (kind, word, code) in [
            (FailureKind::InvalidRequest, "invalid_request_error", Value::Null),
            (FailureKind::Unsupported, "invalid_request_error", json!("unsupported_parameter")),
            (FailureKind::ContextExceeded, "exceed_context_size_error", json!("context_length_exceeded")),
            (FailureKind::ModelUnknown, "not_found_error", json!("model_not_found")),
            (FailureKind::QueueFull, "unavailable_error", json!("overloaded")),
            (FailureKind::Loading, "unavailable_error", json!("model_loading")),
            (FailureKind::Draining, "unavailable_error", json!("shutting_down")),
            (FailureKind::RateLimited, "rate_limit_error", json!("rate_limit_exceeded")),
            (FailureKind::BudgetExceeded, "insufficient_quota", json!("insufficient_quota")),
            (FailureKind::Timeout, "server_error", json!("timeout")),
        ] {
            let error = &object(Failure::new(kind, "why"))["error"];
            assert_eq!((&error["type"], &error["code"]), (&json!(word), &code));
            assert_eq!(error["message"], "why");
        }
    }

    #[test]
    fn a_defect_stays_inside() {
        let error = &object(Failure::internal("secret"))["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &Value::Null));
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn an_overflow_carries_both_numbers() {
        let error = &object(Failure::overflow(Overflow { prompt_tokens: 9, context: 8 }, ""))["error"];
        assert_eq!((&error["n_prompt_tokens"], &error["n_ctx"]), (&json!(9), &json!(8)));
    }

    #[test]
    fn a_field_at_fault_is_the_param() {
        let problem = Problem::from(Failure::invalid("n", "`n` is wrong"));
        let want = r#"{"error":{"message":"`n` is wrong","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
        assert_eq!(error_object(&problem), want);
    }
}
