//! `POST /v1/responses` and `POST /v1/responses/input_tokens`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_wire::Call;
use stack_wire::responses::{self, Reply, ResponseRequest, Writer};

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
    let Call { model, request: asked, delivery, ignored, keep_alive } =
        body.parse(responses::parse_response).await?;
    let ResponseRequest { request, echo, options } = asked;
    let writer = |Opening { unique, created_s, model, .. }| {
        Box::new(Writer::new(Reply { unique, created_s, model, echo, options })) as _
    };
    answer(&server, &waits, Call { model, request: vec![request], delivery, ignored, keep_alive }, writer)
        .await
}

/// Counts the tokens of a conversation.
pub(crate) async fn input_tokens(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(responses::parse_count).await?;
    let tokens = count(&server, &waits, call.model.as_deref(), call.request).await?;
    Ok(report(json(responses::count_object(tokens)), &call.ignored))
}
