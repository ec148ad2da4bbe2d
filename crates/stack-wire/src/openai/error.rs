//! Errors in OpenAI's shape, and the HTTP status that goes with each.

use std::time::Duration;

use serde_json::{Value, json};
use stack_chat::{ChatError, ErrorKind};

/// An error as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// The HTTP status.
    pub status: u16,
    /// The word in `type`.
    pub kind: &'static str,
    /// The word in `code`, on which clients branch.
    pub code: Option<&'static str>,
    /// The request field at fault.
    pub param: Option<String>,
    /// What went wrong, in a sentence that anyone may read.
    pub message: String,
    /// For a prompt that is too long: its tokens, and the tokens that fit.
    pub overflow: Option<(u32, u32)>,
    /// When it makes sense to try again.
    pub retry_after: Option<Duration>,
}

impl ErrorObject {
    /// Makes an error without further detail.
    pub fn new(
        status: u16,
        kind: &'static str,
        code: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, kind, code, param: None, message: message.into(), overflow: None, retry_after: None }
    }

    /// Makes the error for a defect, which tells clients nothing about it.
    pub fn internal() -> Self {
        Self::new(500, "server_error", None, "Internal server error; see the server's log.")
    }

    /// Renders `{"error": {…}}`.
    pub fn to_json(&self) -> String {
        let mut error =
            json!({"message": self.message, "type": self.kind, "param": self.param, "code": self.code});
        if let Some((prompt_tokens, context)) = self.overflow {
            error["n_prompt_tokens"] = Value::from(prompt_tokens);
            error["n_ctx"] = Value::from(context);
        }
        json!({"error": error}).to_string()
    }
}

impl From<&ChatError> for ErrorObject {
    fn from(error: &ChatError) -> Self {
        let new = |status, kind, code| Self {
            param: error.field.clone(),
            ..Self::new(status, kind, code, error.message.clone())
        };
        let later = |error: Self, wait| Self { retry_after: Some(wait), ..error };
        match error.kind {
            ErrorKind::Invalid => {
                new(400, "invalid_request_error", error.field.as_ref().map(|_| "invalid_value"))
            }
            ErrorKind::Unsupported => new(400, "invalid_request_error", Some("unsupported_parameter")),
            ErrorKind::ContextOverflow { prompt_tokens, context } => Self {
                overflow: Some((prompt_tokens, context)),
                ..new(400, "exceed_context_size_error", Some("context_length_exceeded"))
            },
            ErrorKind::UnknownModel => new(404, "not_found_error", Some("model_not_found")),
            ErrorKind::Busy { retry_after } => {
                later(new(503, "unavailable_error", Some("overloaded")), retry_after)
            }
            ErrorKind::Loading => {
                later(new(503, "unavailable_error", Some("model_loading")), Duration::from_secs(2))
            }
            ErrorKind::Closed => {
                later(new(503, "unavailable_error", Some("shutting_down")), Duration::from_secs(5))
            }
            ErrorKind::Internal => Self::internal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_status_type_and_code() {
        let busy = ErrorKind::Busy { retry_after: Duration::from_secs(3) };
        let overflow = ErrorKind::ContextOverflow { prompt_tokens: 9, context: 8 };
        for (kind, status, word, code) in [
            (ErrorKind::Invalid, 400, "invalid_request_error", Value::Null),
            (ErrorKind::Unsupported, 400, "invalid_request_error", json!("unsupported_parameter")),
            (overflow, 400, "exceed_context_size_error", json!("context_length_exceeded")),
            (ErrorKind::UnknownModel, 404, "not_found_error", json!("model_not_found")),
            (busy, 503, "unavailable_error", json!("overloaded")),
            (ErrorKind::Loading, 503, "unavailable_error", json!("model_loading")),
            (ErrorKind::Closed, 503, "unavailable_error", json!("shutting_down")),
            (ErrorKind::Internal, 500, "server_error", Value::Null),
        ] {
            let object = ErrorObject::from(&ChatError::new(kind, "secret"));
            let json: Value = serde_json::from_str(&object.to_json()).unwrap();
            assert_eq!(object.status, status);
            assert_eq!((&json["error"]["type"], &json["error"]["code"]), (&json!(word), &code));
            assert_eq!(object.retry_after.is_some(), status == 503);
            assert_eq!(json["error"]["message"] == "secret", status != 500, "only defects are hidden");
        }
    }

    #[test]
    fn an_overflow_carries_both_numbers() {
        let kind = ErrorKind::ContextOverflow { prompt_tokens: 9, context: 8 };
        let json: Value =
            serde_json::from_str(&ErrorObject::from(&ChatError::new(kind, "")).to_json()).unwrap();
        assert_eq!((&json["error"]["n_prompt_tokens"], &json["error"]["n_ctx"]), (&json!(9), &json!(8)));
    }

    #[test]
    fn a_field_at_fault_is_the_param() {
        let error = ErrorObject::from(&ChatError::invalid("n", "`n` is wrong"));
        let want = r#"{"error":{"message":"`n` is wrong","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
        assert_eq!(error.to_json(), want);
    }
}
