//! `POST /v1/messages` and `POST /v1/messages/count_tokens`, in Anthropic's dialect.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_wire::anthropic::{self, Reply, Writer};

use crate::answer::{Opening, answer, count, report};
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::waits::Waits;

/// Answers a conversation.
pub(crate) async fn create(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(anthropic::parse_messages).await?.map(|request| vec![request]);
    let writer = |Opening { unique, model, .. }| Box::new(Writer::new(Reply { unique, model })) as _;
    answer(&server, &waits, call, writer).await
}

/// Counts the tokens of a conversation.
pub(crate) async fn count_tokens(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(anthropic::parse_count).await?;
    let tokens = count(&server, &waits, call.model.as_deref(), call.request).await?;
    Ok(report(json(anthropic::count_object(tokens)), &call.ignored))
}
