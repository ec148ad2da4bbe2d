//! Errors: the name of the failure, a sentence, and whose matter it is.

use serde_json::{Value, json};
use stack_chat::Domain;

use crate::Problem;

/// Renders `{"error": {…}}`.
pub fn error_object(problem: &Problem, request_id: Option<&str>) -> String {
    json!({"error": error_value(problem, request_id)}).to_string()
}

/// Builds what stands inside.
pub(super) fn error_value(problem: &Problem, request_id: Option<&str>) -> Value {
    let failure = &problem.failure;
    let domain = match failure.kind.domain() {
        Domain::Caller => "caller",
        Domain::Policy => "policy",
        Domain::Provider => "provider",
        Domain::Gateway => "gateway",
    };
    let mut error = json!({"code": failure.kind.as_str(), "message": failure.message, "domain": domain});
    if let Some(field) = &failure.field {
        error["field"] = field.as_str().into();
    }
    if let Some(id) = request_id {
        error["request_id"] = id.into();
    }
    if let Some(wait) = problem.retry_after() {
        error["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
    }
    error
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stack_chat::{Failure, FailureKind};

    use super::*;

    #[test]
    fn an_error_says_what_whose_and_when() {
        let busy = Failure::new(FailureKind::QueueFull, "full").after(Duration::from_secs(2));
        let want = r#"{"error":{"code":"gateway_queue_full","message":"full","domain":"gateway","request_id":"r","retry_after_ms":2000}}"#;
        assert_eq!(error_object(&Problem::from(busy), Some("r")), want);
        let wrong = error_value(&Problem::from(Failure::invalid("top_p", "wrong")), None);
        assert_eq!((&wrong["field"], &wrong["domain"]), (&json!("top_p"), &json!("caller")));
    }
}
