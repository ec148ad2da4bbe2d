//! Errors in OpenAI's shape.

use serde_json::{Value, json};
use stack_chat::{FailureKind, Overflow};

use crate::Problem;

/// Renders `{"error": {…}}`. For a prompt that is too long it also says by how much, with the names of llama-server.
pub fn error_object(problem: &Problem) -> String {
    error_value(problem).to_string()
}

/// Builds what [`error_object`] renders.
pub(crate) fn error_value(problem: &Problem) -> Value {
    let failure = &problem.failure;
    let mut error = json!({
        "message": message(problem),
        "type": kind_word(problem),
        "param": failure.field,
        "code": problem.code,
    });
    if let Some(overflow) = failure.overflow {
        error["n_prompt_tokens"] = Value::from(overflow.prompt_tokens);
        error["n_ctx"] = Value::from(overflow.context);
    }
    json!({"error": error})
}

/// Clients read the sentence to learn that a prompt is too long, so it says so in OpenAI's words.
fn message(problem: &Problem) -> String {
    match problem.failure.overflow {
        Some(Overflow { prompt_tokens, context }) => format!(
            "This model's maximum context length is {context} tokens. However, your messages resulted in \
             {prompt_tokens} tokens."
        ),
        None => problem.failure.message.clone(),
    }
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
    use stack_chat::Failure;

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
        let sentence =
            "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens.";
        assert_eq!(error["message"], sentence);
    }

    #[test]
    fn a_field_at_fault_is_the_param() {
        let problem = Problem::from(Failure::invalid("n", "`n` is wrong"));
        let want = r#"{"error":{"message":"`n` is wrong","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
        assert_eq!(error_object(&problem), want);
    }
}
