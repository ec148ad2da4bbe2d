//! The routes that only look: models, health, metrics, the description of the interface.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use stack_chat::{ChatError, ErrorKind};

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
        ApiError::from(ChatError::new(ErrorKind::Loading, "no model is ready")).into_response()
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
