//! `POST /v1/rerank` and its other spellings.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_wire::rerank;

use crate::answer::ranking;
use crate::body::WholeBody;
use crate::error::ApiError;
use crate::server::Server;
use crate::waits::Waits;

/// Ranks documents by what they have to do with a query.
pub(crate) async fn rank(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(rerank::parse_rerank).await?;
    ranking(&server, &waits, call, rerank::ranking_object).await
}
