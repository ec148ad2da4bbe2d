//! Errors, whose shape is that of OpenAI's other routes.

use serde_json::{Value, json};
use stack_chat::Failure;

use crate::{Problem, openai};

/// Renders `{"error": {…}}`. Fields that are called otherwise here get their name on this route.
pub fn error_object(problem: &Problem) -> String {
    let mut named = problem.clone();
    named.failure.field = named.failure.field.map(|field| name(&field).unwrap_or(field));
    openai::error_object(&named)
}

/// Renders why a response failed that has begun.
pub(super) fn error_value(failure: &Failure) -> Value {
    let problem = Problem::from(failure.clone());
    json!({"code": problem.code.unwrap_or("server_error"), "message": problem.failure.message})
}

fn name(field: &str) -> Option<String> {
    match field {
        "response_format" => Some("text.format".to_owned()),
        "max_tokens" => Some("max_output_tokens".to_owned()),
        _ if field.starts_with("messages") => Some("input".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_of_the_route() {
        for (field, name) in [
            ("response_format", "text.format"),
            ("messages[2].content[0]", "input"),
            ("tools[0].name", "tools[0].name"),
        ] {
            let problem = Problem::from(Failure::invalid(field, "why"));
            assert!(error_object(&problem).contains(&format!("\"param\":\"{name}\"")), "{field}");
        }
    }
}
