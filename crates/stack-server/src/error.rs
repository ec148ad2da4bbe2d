//! Errors as responses.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, Uri, header};
use axum::response::IntoResponse;
use stack_chat::{Failure, FailureKind};
use stack_wire::{Ignored, Problem};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The parser or the model refused it, or the model failed.
    Chat(Failure),
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
    /// There is no such response, because it is gone or because none are stored.
    UnknownResponse { id: String, can_store: bool },
    /// A handler panicked.
    Panic,
}

impl From<Failure> for ApiError {
    fn from(error: Failure) -> Self {
        Self::Chat(error)
    }
}

impl ApiError {
    /// Names the fields as the request names them, where the model knows only the usual name.
    pub(crate) fn in_words_of(self, ignored: &Ignored) -> Self {
        match self {
            Self::Chat(failure) => Self::Chat(ignored.in_words_of_request(failure)),
            other => other,
        }
    }

    /// Gives the error its status and code.
    pub(crate) fn problem(self) -> Problem {
        let invalid = |message| Failure::new(FailureKind::InvalidRequest, message);
        match self {
            Self::Chat(failure) => failure.into(),
            Self::UnknownRoute { method, path } => {
                let message =
                    format!("there is no route {method} {path}; GET /openapi.json lists those there are");
                Problem::new(404, "unknown_url", invalid(message))
            }
            Self::WrongMethod { method, path } => {
                let message = format!("{path} does not take {method}");
                Problem::new(405, "method_not_allowed", invalid(message))
            }
            Self::CompressedBody => {
                let message = "the request body is compressed (Content-Encoding); send it uncompressed";
                Problem::new(415, "unsupported_encoding", invalid(message.to_owned()))
            }
            Self::LongBody { limit } => {
                let message = format!("the request body is longer than {limit} bytes");
                Problem::new(413, "request_too_large", invalid(message))
            }
            Self::SlowBody => {
                let message = "the request body did not arrive in time";
                Problem::new(408, "request_timeout", invalid(message.to_owned()))
            }
            Self::BrokenBody => {
                let message = "the connection broke before the request body was complete";
                invalid(message.to_owned()).into()
            }
            Self::ForbiddenPage(message) => {
                let failure = Failure::new(FailureKind::AccessDenied, message);
                Problem::new(403, "forbidden_origin", failure)
            }
            Self::FailedModel { id } => {
                let message = format!("the model {id:?} failed to load; see the server's log");
                Problem::new(503, "model_failed", Failure::new(FailureKind::ModelMissing, message))
            }
            // It is the caller's choice of a model that is wrong, so the status is not one that client libraries try
            // again.
            Self::UnableModel { id, why, able } => {
                let able = able.map(|names| format!("; ask {names}")).unwrap_or_default();
                let message = format!("the model {id:?} {why}{able}");
                Problem::new(400, "model_not_supported", Failure::unsupported("model", message))
            }
            Self::UnknownResponse { id, can_store } => {
                let why = if can_store {
                    "it was not stored, was deleted, or had to make room"
                } else {
                    "this server stores none; `--stored-responses` makes it"
                };
                let failure = Failure::invalid("response_id", format!("there is no response {id:?}: {why}"));
                Problem::new(404, "response_not_found", failure)
            }
            Self::Panic => Failure::internal("a handler panicked").into(),
        }
    }
}

/// Logs a defect. Callers learn nothing about it, so this is where it is handled.
pub(crate) fn log(failure: &Failure) {
    if let Some(cause) = &failure.cause {
        tracing::error!(failure.kind = failure.kind.as_str(), failure.cause = cause, "a request failed");
    }
}

/// The response carries the problem; [`observe`](crate::observe) knows the dialect and fills it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let problem = self.problem();
        log(&problem.failure);
        let mut response = Response::default();
        if let Some(wait) = problem.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if problem.status == 401 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// Makes the error for a stream that ends without its last event.
pub(crate) fn broken() -> Failure {
    Failure::internal("the stream ended without its last event")
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
