//! The routes that only look: models, health, metrics, the description of the interface.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::{ApiError, json};
use crate::router::Server;

/// Lists the models.
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Response {
    json(server.models.list())
}

/// Describes one model, whose name may hold slashes.
pub(crate) async fn model(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json(server.models.describe(&id)?))
}

/// Says that the server lives.
pub(crate) async fn health() -> Response {
    json(r#"{"status":"ok"}"#.to_owned())
}

/// Says whether a model can be asked.
pub(crate) async fn ready(State(server): State<Arc<Server>>) -> Response {
    if server.models.any_ready() {
        json(r#"{"status":"ok"}"#.to_owned())
    } else {
        let body = r#"{"error":{"message":"No model is ready.","type":"unavailable_error","param":null,"code":503}}"#;
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")], json(body.to_owned())).into_response()
    }
}

/// Renders the metrics.
pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.metrics.render()).into_response()
}

/// Describes the interface.
pub(crate) async fn openapi() -> Response {
    json(OPENAPI.to_owned())
}

const OPENAPI: &str = include_str!("openapi.json");
