//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use stack_wire::openai::{self, EmbeddingCall};
use stack_wire::{Call, Delivery};

use crate::answer::embeddings;
use crate::body::WholeBody;
use crate::error::ApiError;
use crate::routes::llama_server;
use crate::server::Server;
use crate::waits::Waits;

/// Embeds one or more inputs; llama-server answers in its own shape outside `/v1`.
pub(crate) async fn embed(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
    body: WholeBody,
) -> Result<Response, ApiError> {
    if llama_server::has_shared_path(&server.options, &uri) {
        return llama_server::embedding(State(server), Extension(waits), body).await;
    }
    let EmbeddingCall { model, request, encoding, ignored } = body.parse(openai::parse_embedding).await?;
    let call = Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None };
    embeddings(&server, &waits, call, |served, vectors| openai::embedding_list(&served.id, vectors, encoding))
        .await
}
