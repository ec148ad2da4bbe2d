//! The routes of Ollama's dialect.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::ChatRequest;
use stack_wire::ollama::{self, Reply, Running, Shape, Writer};
use stack_wire::{AnswerWriter, Availability, Call, KeepAlive};

use crate::answer::{Opening, answer, embeddings, now_s, report, served, stay};
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::waits::Waits;

/// Says what Ollama's clients look for to learn that something answers.
pub(crate) async fn root() -> &'static str {
    "Ollama is running"
}

/// Answers a conversation.
pub(crate) async fn chat(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    respond(&server, &waits, Shape::Chat, body.parse(ollama::parse_chat).await?).await
}

/// Continues a prompt.
pub(crate) async fn generate(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    respond(&server, &waits, Shape::Generate, body.parse(ollama::parse_generate).await?).await
}

/// Embeds one or more inputs.
pub(crate) async fn embed(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(ollama::parse_embed).await?;
    embeddings(&server, &waits, call, |served, vectors| ollama::embed_object(&served.id, vectors)).await
}

/// Embeds one prompt.
pub(crate) async fn embed_one(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(ollama::parse_embedding).await?;
    embeddings(&server, &waits, call, |_served, vectors| ollama::embedding_object(vectors)).await
}

/// Lists the models.
pub(crate) async fn tags(State(server): State<Arc<Server>>, Extension(waits): Extension<Waits>) -> Response {
    json(server.models.list(|all| ollama::model_list(&waits.grant().covered(all, |(id, _)| id))).await)
}

/// Lists the models in memory.
pub(crate) async fn running(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
) -> Response {
    let list = |all: &[Running<'_>]| ollama::running_list(&waits.grant().covered(all, |model| model.id));
    json(server.models.running(now_s(), list))
}

/// Describes one model.
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { model, ignored, .. } = body.parse(ollama::parse_show).await?;
    let served = served(&server, &waits, model.as_deref()).await?;
    let template = served.prompts.as_ref().and_then(|prompts| prompts.template(false));
    Ok(report(json(ollama::show_object(Availability::Ready(&served.card), template)), &ignored))
}

/// Tells the version of this program.
pub(crate) async fn version() -> Response {
    json(ollama::version_object())
}

/// Answers, or where nothing is asked, says that the model is there, or is gone.
async fn respond(
    server: &Server,
    waits: &Waits,
    shape: Shape,
    call: Call<Option<ChatRequest>>,
) -> Result<Response, ApiError> {
    let Call { model, request, delivery, ignored, keep_alive } = call;
    if let Some(request) = request {
        let writer = |Opening { created_s, model, .. }| {
            Box::new(Writer::new(Reply { shape, created_s, model })) as Box<dyn AnswerWriter>
        };
        let call = Call { model, request: vec![request], delivery, ignored, keep_alive };
        return answer(server, waits, call, writer).await;
    }
    let name = model.as_deref();
    let reply = |model: String| Reply { shape, created_s: now_s(), model };
    let body = if keep_alive == Some(KeepAlive::For(Duration::ZERO)) {
        waits.grant().operates()?;
        server.permit(waits.grant(), name, server.options.any_model).await?;
        // Nothing is asked but that it goes, for which it need not be loaded.
        reply(server.models.release(name, server.options.any_model).await?).unloaded()
    } else {
        let served = served(server, waits, name).await?;
        stay(server, waits.grant(), &served, keep_alive);
        reply(served.id.clone()).loaded()
    };
    Ok(report(json(body), &ignored))
}
