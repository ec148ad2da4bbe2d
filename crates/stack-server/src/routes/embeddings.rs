//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_wire::openai::{self, EmbeddingCall};
use stack_wire::{Call, Delivery};

use crate::answer::embeddings;
use crate::body::WholeBody;
use crate::error::ApiError;
use crate::server::Server;
use crate::waits::Waits;

/// Embeds one or more inputs.
pub(crate) async fn embed(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let EmbeddingCall { model, request, encoding, ignored } = body.parse(openai::parse_embedding).await?;
    let call = Call { model, request, delivery: Delivery::Whole, ignored };
    embeddings(&server, &waits, call, |model, vectors| openai::embedding_list(model, vectors, encoding)).await
}
