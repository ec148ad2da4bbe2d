//! The routes of the program's own dialect.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::ChatRequest;
use stack_wire::native::{self, Lineage, Whoami, Writer};
use stack_wire::{Call, Delivery};

use crate::answer::{Opening, answer, embeddings, now_s};
use crate::auth::{ModelPattern, Scope};
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
pub(crate) async fn models(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
) -> Response {
    json(server.models.list(|all| native::model_list(&waits.grant().covered(all, |(id, _)| id))).await)
}

/// Says who asks.
pub(crate) async fn whoami(Extension(waits): Extension<Waits>) -> Response {
    let grant = waits.grant();
    json(native::whoami_object(&Whoami {
        key_id: Some(grant.key_id.as_str()).filter(|id| !id.is_empty()),
        name: &grant.name,
        tenant: grant.tenant.as_str(),
        scopes: grant.scopes.iter().map(Scope::name).collect(),
        models: grant.models.iter().map(ModelPattern::as_str).collect(),
        requests_per_minute: grant.limits.requests.map(NonZeroU32::get),
        tokens_per_minute: grant.limits.tokens.map(NonZeroU32::get),
        expires_s: grant.expires_s,
    }))
}

async fn respond(
    server: &Server,
    waits: &Waits,
    RequestId(request_id): RequestId,
    call: Call<ChatRequest>,
) -> Result<Response, ApiError> {
    let (requested, ignored) = (call.model.clone(), call.ignored.clone());
    let writer = |Opening { unique, created_s, model, provider, class, basis, digest, .. }| {
        let lockdown = server.options.lockdown;
        let lineage = Lineage {
            request_id,
            unique,
            created_s,
            requested,
            model,
            provider,
            class,
            basis,
            digest,
            lockdown,
            record: waits.record().clone(),
        };
        Box::new(Writer::new(lineage, ignored)) as _
    };
    answer(server, waits, call.map(|request| vec![request]), writer).await
}
