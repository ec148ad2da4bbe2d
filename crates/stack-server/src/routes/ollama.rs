//! The routes of Ollama's dialect.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::ChatRequest;
use stack_wire::ollama::{self, Reply, Shape, Writer};
use stack_wire::{AnswerWriter, Availability, Call, KeepAlive};

use crate::answer::{Opening, answer, embeddings, now_s, opening, report, stay};
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
pub(crate) async fn tags(State(server): State<Arc<Server>>) -> Response {
    json(server.models.list(ollama::model_list).await)
}

/// Lists the models in memory.
pub(crate) async fn running(State(server): State<Arc<Server>>) -> Response {
    json(server.models.running(now_s(), ollama::running_list))
}

/// Describes one model.
pub(crate) async fn show(State(server): State<Arc<Server>>, body: WholeBody) -> Result<Response, ApiError> {
    let name = body.parse(ollama::parse_show).await?;
    let served = server.models.get(name.as_deref(), server.options.any_model).await?;
    let template = served.prompts.as_ref().and_then(|prompts| prompts.template(false));
    Ok(json(ollama::show_object(Availability::Ready(&served.card), template)))
}

/// Tells the version of this program.
pub(crate) async fn version() -> Response {
    json(ollama::version_object())
}

/// Answers, or where nothing is asked, says that the model is there.
async fn respond(
    server: &Server,
    waits: &Waits,
    shape: Shape,
    call: Call<Option<ChatRequest>>,
) -> Result<Response, ApiError> {
    let reply = |Opening { created_s, model, .. }| Reply { shape, created_s, model };
    let Call { model, request, delivery, ignored, keep_alive } = call;
    let Some(request) = request else {
        let served = match keep_alive {
            // Where nothing is asked, this lets the model go, which need not be loaded for it.
            Some(KeepAlive::For(Duration::ZERO)) => {
                server.models.find(model.as_deref(), server.options.any_model)?
            }
            _ => server.models.get(model.as_deref(), server.options.any_model).await?,
        };
        stay(server, &served, keep_alive);
        let goes = keep_alive == Some(KeepAlive::For(Duration::ZERO)) && server.models.unload(&served.id);
        let reply = reply(opening(server, &served));
        return Ok(report(json(if goes { reply.unloaded() } else { reply.loaded() }), &ignored));
    };
    let call = Call { model, request: vec![request], delivery, ignored, keep_alive };
    let writer = |opening| Box::new(Writer::new(reply(opening))) as Box<dyn AnswerWriter>;
    answer(server, waits, call, writer).await
}
