//! `GET /v1/models`: what can be asked.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use crate::error::{ApiError, json};
use crate::server::Server;

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
