//! `POST /v1/chat/completions` and `POST /v1/completions`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use stack_chat::ChatRequest;
use stack_wire::openai::{self, Reply, Shape, Writer};
use stack_wire::{Call, Delivery};

use crate::answer::{Opening, answer};
use crate::body::WholeBody;
use crate::error::ApiError;
use crate::routes::llama_server;
use crate::server::Server;
use crate::waits::Waits;

/// Answers a conversation.
pub(crate) async fn chat(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(openai::parse_chat).await?;
    respond(&server, &waits, Shape::Chat, call.map(|request| vec![request])).await
}

/// Continues one or more prompts; llama-server answers in its own shape outside `/v1`.
pub(crate) async fn plain(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
    body: WholeBody,
) -> Result<Response, ApiError> {
    if llama_server::has_shared_path(&server.options, &uri) {
        return llama_server::completion(State(server), Extension(waits), body).await;
    }
    respond(&server, &waits, Shape::Completion, body.parse(openai::parse_completion).await?).await
}

async fn respond(
    server: &Server,
    waits: &Waits,
    shape: Shape,
    call: Call<Vec<ChatRequest>>,
) -> Result<Response, ApiError> {
    let choices = call.request.iter().map(|request| request.choices).sum();
    let logprobs = call.request.first().and_then(|request| request.logprobs);
    let include_usage = matches!(call.delivery, Delivery::Stream { include_usage: true });
    let writer = |Opening { unique, created_s, model, .. }| {
        let reply = Reply { shape, unique, created_s, model, logprobs };
        Box::new(Writer::new(reply, choices, include_usage)) as _
    };
    answer(server, waits, call, writer).await
}
