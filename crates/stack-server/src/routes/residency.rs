//! `POST /models/load` and `POST /models/unload`: what is in memory.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_wire::{Call, llama_server};

use crate::answer::{report, stay};
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::models::unknown_model;
use crate::server::Server;
use crate::waits::Waits;

/// Loads a model, and answers when it is there.
pub(crate) async fn load(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { request: model, ignored, keep_alive, .. } = body.parse(llama_server::parse_model).await?;
    server.permit(waits.grant(), Some(&model), false).await?;
    let served = waits.within(server.models.get(Some(&model), false)).await??;
    stay(&server, waits.grant(), &served, keep_alive);
    Ok(report(json(llama_server::success_object()), &ignored))
}

/// Lets a model go. Answers that are under way are finished; its memory is free after the last of them.
pub(crate) async fn unload(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { request: model, ignored, .. } = body.parse(llama_server::parse_model).await?;
    server.permit(waits.grant(), Some(&model), false).await?;
    if server.models.unload(&model) {
        return Ok(report(json(llama_server::success_object()), &ignored));
    }
    let message = format!("the model {model:?} is not loaded; GET /api/ps lists those that are");
    Err(unknown_model(message).into())
}
