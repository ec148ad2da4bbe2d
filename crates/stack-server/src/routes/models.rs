//! The routes that only look: models, metrics, the description of the interface.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
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
    Ok(json(server.models.describe(&id, server.options.any_model)?))
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
