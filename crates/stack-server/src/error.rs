//! Errors as responses.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use stack_chat::{ChatError, ErrorKind};
use stack_wire::openai::ErrorObject;

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct ApiError(ErrorObject);

impl From<ErrorObject> for ApiError {
    fn from(object: ErrorObject) -> Self {
        Self(object)
    }
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        Self(public(&error))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let Self(object) = self;
        let status = StatusCode::from_u16(object.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(object.to_json());
        *response.status_mut() = status;
        if let Some(wait) = object.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// Makes the object that clients see; a defect is logged instead, here and nowhere else.
pub(crate) fn public(error: &ChatError) -> ErrorObject {
    if error.kind == ErrorKind::Internal {
        tracing::error!(error.message = error.message, "generation failed");
    }
    ErrorObject::from(error)
}

/// Makes a response of JSON.
pub(crate) fn json(body: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Answers requests for paths that do not exist.
pub(crate) async fn no_route(method: Method, uri: Uri) -> ApiError {
    let message =
        format!("there is no route {method} {}; GET /openapi.json lists those there are", uri.path());
    ApiError(ErrorObject::new(404, "not_found_error", Some("unknown_url"), message))
}

/// Answers requests for paths that exist, with a method that they do not take.
pub(crate) async fn no_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError(ErrorObject::new(405, "invalid_request_error", Some("method_not_allowed"), message))
}

/// Answers a request whose handler panicked. The panic hook has reported where.
pub(crate) fn panicked(_message: Box<dyn Any + Send>) -> Response<Body> {
    ApiError(ErrorObject::internal()).into_response()
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
