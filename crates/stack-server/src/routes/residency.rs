//! `POST /models/load` and `POST /models/unload`: what is in memory.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::{Failure, FailureKind};
use stack_wire::llama_server::{self, NamedModel};

use crate::answer::stay;
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::waits::Waits;

/// Loads a model, and answers when it is there.
pub(crate) async fn load(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let NamedModel { model, keep_alive } = body.parse(llama_server::parse_model).await?;
    let served = waits.on(server.models.get(Some(&model), false)).await?;
    stay(&server, &served, keep_alive);
    Ok(json(llama_server::success_object()))
}

/// Lets a model go. Answers that are under way are finished; its memory is free after the last of them.
pub(crate) async fn unload(State(server): State<Arc<Server>>, body: WholeBody) -> Result<Response, ApiError> {
    let NamedModel { model, .. } = body.parse(llama_server::parse_model).await?;
    if server.models.unload(&model) {
        return Ok(json(llama_server::success_object()));
    }
    let message = format!("the model {model:?} is not loaded; GET /api/ps lists those that are");
    let failure = Failure::new(FailureKind::ModelUnknown, message);
    Err(Failure { field: Some("model".into()), ..failure }.into())
}
