//! Errors as responses.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use stack_chat::{ChatError, ErrorKind};
use stack_wire::openai::ErrorObject;

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The parser or the model refused it, or the model failed.
    Chat(ChatError),
    /// There is no such path.
    UnknownRoute { method: Method, path: String },
    /// The path does not take this method.
    WrongMethod { method: Method, path: String },
    /// Its body is compressed.
    CompressedBody,
    /// Its body is longer than `limit` bytes.
    LongBody { limit: usize },
    /// Its body did not arrive in time.
    SlowBody,
    /// The connection broke inside its body.
    BrokenBody,
    /// A web page asks that may not; the text says why.
    ForbiddenPage(&'static str),
    /// The model could not be loaded.
    FailedModel { id: String },
    /// The model cannot answer on this route; `able` names those that can.
    UnableModel { id: String, why: &'static str, able: Option<String> },
    /// A handler panicked.
    Panic,
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        Self::Chat(error)
    }
}

impl ApiError {
    /// Makes the object that clients see; a defect is logged instead, here and nowhere else.
    pub(crate) fn object(&self) -> ErrorObject {
        let invalid =
            |status, code, message: String| ErrorObject::new(status, "invalid_request_error", code, message);
        match self {
            Self::Chat(error) => {
                if error.kind == ErrorKind::Internal {
                    tracing::error!(error.message = error.message, "generation failed");
                }
                ErrorObject::from(error)
            }
            Self::UnknownRoute { method, path } => {
                let message =
                    format!("there is no route {method} {path}; GET /openapi.json lists those there are");
                ErrorObject::new(404, "not_found_error", Some("unknown_url"), message)
            }
            Self::WrongMethod { method, path } => {
                invalid(405, Some("method_not_allowed"), format!("{path} does not take {method}"))
            }
            Self::CompressedBody => {
                let message = "the request body is compressed (Content-Encoding); send it uncompressed";
                invalid(415, Some("unsupported_encoding"), message.to_owned())
            }
            Self::LongBody { limit } => {
                let message = format!("the request body is longer than {limit} bytes");
                invalid(413, Some("request_too_large"), message)
            }
            Self::SlowBody => {
                let message = "the request body did not arrive in time";
                invalid(408, Some("request_timeout"), message.to_owned())
            }
            Self::BrokenBody => {
                let message = "the connection broke before the request body was complete";
                invalid(400, None, message.to_owned())
            }
            Self::ForbiddenPage(message) => {
                ErrorObject::new(403, "permission_error", Some("forbidden_origin"), *message)
            }
            Self::FailedModel { id } => {
                let message = format!("the model {id:?} failed to load; see the server's log");
                ErrorObject::new(503, "unavailable_error", Some("model_failed"), message)
            }
            // It is the caller's choice of a model that is wrong, so the status is not one that client libraries try
            // again.
            Self::UnableModel { id, why, able } => {
                let able = able.as_ref().map(|names| format!("; ask {names}")).unwrap_or_default();
                let message = format!("the model {id:?} {why}{able}");
                let param = Some("model".to_owned());
                ErrorObject { param, ..invalid(400, Some("model_not_supported"), message) }
            }
            Self::Panic => ErrorObject::internal(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let object = self.object();
        let status = StatusCode::from_u16(object.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(object.to_json());
        *response.status_mut() = status;
        if let Some(wait) = object.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// Makes the error for a stream that ends without its last event.
pub(crate) fn broken() -> ChatError {
    ChatError::new(ErrorKind::Internal, "the stream ended without its last event")
}

/// Makes a response of JSON.
pub(crate) fn json(body: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Answers requests for paths that do not exist.
pub(crate) async fn no_route(method: Method, uri: Uri) -> ApiError {
    ApiError::UnknownRoute { method, path: uri.path().to_owned() }
}

/// Answers requests for paths that exist, with a method that they do not take.
pub(crate) async fn no_method(method: Method, uri: Uri) -> ApiError {
    ApiError::WrongMethod { method, path: uri.path().to_owned() }
}

/// Answers a request whose handler panicked. The panic hook has reported where.
pub(crate) fn panicked(_message: Box<dyn Any + Send>) -> Response<Body> {
    ApiError::Panic.into_response()
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    }
}
