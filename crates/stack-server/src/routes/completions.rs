//! `POST /v1/chat/completions` and `POST /v1/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use stack_wire::openai::{self, Call, Shape};

use crate::answer::answer;
use crate::body::WholeBody;
use crate::error::ApiError;
use crate::server::Server;

/// Answers a conversation.
pub(crate) async fn chat(State(server): State<Arc<Server>>, body: WholeBody) -> Result<Response, ApiError> {
    let Call { model, request, delivery, ignored } = body.parse(openai::parse_chat).await?;
    answer(&server, Shape::Chat, Call { model, request: vec![request], delivery, ignored }).await
}

/// Continues one or more prompts.
pub(crate) async fn plain(State(server): State<Arc<Server>>, body: WholeBody) -> Result<Response, ApiError> {
    answer(&server, Shape::Completion, body.parse(openai::parse_completion).await?).await
}
