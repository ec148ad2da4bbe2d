//! Errors in Ollama's shape.

use serde_json::json;

use crate::Problem;

/// Renders `{"error": "…"}`.
pub fn error_object(problem: &Problem) -> String {
    json!({"error": problem.failure.message}).to_string()
}

#[cfg(test)]
mod tests {
    use stack_chat::Failure;

    use super::*;

    #[test]
    fn an_error_is_a_sentence() {
        let problem = Problem::from(Failure::invalid("model", "`model` is required"));
        assert_eq!(error_object(&problem), r#"{"error":"`model` is required"}"#);
    }
}
