//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use stack_wire::openai;

use crate::answer::report;
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::stopwatch::Stopwatch;

/// Embeds one or more inputs.
pub(crate) async fn embed(State(server): State<Arc<Server>>, body: WholeBody) -> Result<Response, ApiError> {
    let call = body.parse(openai::parse_embedding).await?;
    let served = server.models.find(call.model.as_deref(), server.options.any_model)?;
    let Some(embedder) = &served.embedder else {
        let able = server.models.names_where(|served| served.embedder.is_some());
        return Err(ApiError::UnableModel { id: served.id.clone(), why: "makes no embeddings", able });
    };
    let watch = Stopwatch::start(Arc::clone(&server.metrics));
    let embeddings = embedder.embed(call.request).await?;
    server.metrics.prompt_tokens(embeddings.tokens.into());
    drop(watch);
    Ok(report(json(openai::embedding_list(&served.id, &embeddings, call.encoding)), &call.ignored))
}
