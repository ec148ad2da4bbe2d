//! Errors as llama-server writes them: the status is the code.

use serde_json::Value;
use stack_chat::Overflow;

use crate::{Problem, openai};

/// Renders `{"error": {…}}`: OpenAI's shape, but with the HTTP status in `code`.
pub fn error_object(problem: &Problem) -> String {
    let mut object = openai::error_value(problem);
    object["error"]["code"] = Value::from(problem.status);
    if let Some(Overflow { prompt_tokens, context }) = problem.failure.overflow {
        // Editors look for these words.
        object["error"]["message"] = format!(
            "request ({prompt_tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
        )
        .into();
    }
    object.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stack_chat::{Failure, FailureKind};

    use super::*;

    #[test]
    fn the_code_is_the_status() {
        let object = |failure: Failure| -> Value {
            serde_json::from_str(&error_object(&Problem::from(failure))).unwrap()
        };
        let loading = object(Failure::new(FailureKind::Loading, "Loading model"));
        assert_eq!(
            (&loading["error"]["code"], &loading["error"]["type"]),
            (&json!(503), &json!("unavailable_error"))
        );
        let long = object(Failure::overflow(Overflow { prompt_tokens: 9, context: 8 }, "too long"));
        assert_eq!((&long["error"]["code"], &long["error"]["n_ctx"]), (&json!(400), &json!(8)));
        let message = "request (9 tokens) exceeds the available context size (8 tokens), try increasing it";
        assert_eq!(long["error"]["message"], message);
    }
}
