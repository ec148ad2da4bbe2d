//! `GET /v1/models`: what can be asked, in the dialect of who asks.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use stack_wire::{anthropic, openai};

use crate::dialect::Dialect;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::waits::Waits;

/// Lists the models.
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let render = match Dialect::of(uri.path(), &headers, &server.options) {
        Dialect::Anthropic => anthropic::model_list,
        _ => openai::model_list,
    };
    json(server.models.list(|all| render(&waits.grant().covered(all, |(id, _)| id))).await)
}

/// Describes one model, whose name may hold slashes.
pub(crate) async fn model(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    server.permit(waits.grant(), Some(&id), server.options.any_model).await?;
    let render = match Dialect::of(uri.path(), &headers, &server.options) {
        Dialect::Anthropic => anthropic::model_object,
        _ => openai::model_object,
    };
    Ok(json(server.models.describe(&id, server.options.any_model, render).await?))
}
