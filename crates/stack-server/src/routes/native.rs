//! The routes of the program's own dialect.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::ChatRequest;
use stack_wire::native::{self, Lineage, Writer};
use stack_wire::{Call, Delivery};

use crate::answer::{Opening, answer, embeddings, now_s};
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::observe::RequestId;
use crate::server::Server;
use crate::waits::Waits;

/// Answers a conversation.
pub(crate) async fn chat(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Extension(id): Extension<RequestId>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    respond(&server, &waits, id, body.parse(native::parse_chat).await?).await
}

/// Answers a conversation event by event.
pub(crate) async fn chat_stream(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Extension(id): Extension<RequestId>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(native::parse_chat).await?;
    respond(&server, &waits, id, Call { delivery: Delivery::Stream { include_usage: true }, ..call }).await
}

/// Embeds one or more inputs.
pub(crate) async fn embed(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Extension(RequestId(id)): Extension<RequestId>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(native::parse_embed).await?;
    let created_s = now_s();
    embeddings(&server, &waits, call, |served, vectors| {
        native::embedding_object(&served.id, &served.card, vectors, created_s, &id)
    })
    .await
}

/// Lists the models.
pub(crate) async fn models(State(server): State<Arc<Server>>) -> Response {
    json(server.models.list(native::model_list).await)
}

async fn respond(
    server: &Server,
    waits: &Waits,
    RequestId(request_id): RequestId,
    call: Call<ChatRequest>,
) -> Result<Response, ApiError> {
    let (requested, ignored) = (call.model.clone(), call.ignored.clone());
    let writer = |Opening { unique, created_s, model, basis, digest, .. }| {
        let lineage = Lineage { request_id, unique, created_s, requested, model, basis, digest };
        Box::new(Writer::new(lineage, ignored)) as _
    };
    answer(server, waits, call.map(|request| vec![request]), writer).await
}
