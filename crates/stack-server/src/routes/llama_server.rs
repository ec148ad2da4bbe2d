//! The routes that only llama-server has.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use stack_chat::{ChatModel, ChatRequest, Failure, FailureKind, Prompt, Prompts};
use stack_wire::llama_server::{self, Completion, Content, Properties, Reply, Tokenize, Writer};
use stack_wire::{Call, openai};

use crate::Options;
use crate::answer::{Opening, answer, embeddings, report, served};
use crate::auth::Grant;
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::models::Served;
use crate::server::Server;
use crate::waits::Waits;

/// Continues one or more prompts.
pub(crate) async fn completion(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    respond(&server, &waits, body.parse(llama_server::parse_completion).await?).await
}

/// Writes what stands between two texts.
pub(crate) async fn infill(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    respond(&server, &waits, body.parse(llama_server::parse_infill).await?).await
}

/// Embeds one or more inputs.
pub(crate) async fn embedding(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = body.parse(llama_server::parse_embedding).await?;
    embeddings(&server, &waits, call, |_served, vectors| llama_server::embedding_list(vectors)).await
}

/// Turns text into tokens.
pub(crate) async fn tokenize(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { model, request, ignored, .. } = body.parse(llama_server::parse_tokenize).await?;
    let body = with_prompts(&server, &waits, model.as_deref(), move |prompts| {
        let tokens = tokens(prompts, &request)?;
        if !request.with_pieces {
            return Ok(llama_server::tokens_object(&tokens));
        }
        let piece = |&token: &u32| Ok((token, prompts.piece(token)?));
        let pieces = tokens.iter().map(piece).collect::<Result<Vec<_>, Failure>>()?;
        Ok(llama_server::pieces_object(&pieces))
    });
    Ok(report(json(body.await?), &ignored))
}

/// Turns tokens into text.
pub(crate) async fn detokenize(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { model, request: tokens, ignored, .. } = body.parse(llama_server::parse_detokenize).await?;
    let body = with_prompts(&server, &waits, model.as_deref(), move |prompts| {
        let mut text = Vec::new();
        for &token in &tokens {
            text.extend_from_slice(prompts.piece(token)?);
        }
        Ok(llama_server::content_object(&text))
    });
    Ok(report(json(body.await?), &ignored))
}

/// Renders a conversation as the model would see it.
pub(crate) async fn apply_template(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let Call { model, request, ignored, .. } = body.parse(openai::parse_chat).await?;
    let body = with_prompts(&server, &waits, model.as_deref(), move |prompts| {
        Ok(llama_server::prompt_object(&prompts.render(&request)?.text))
    });
    Ok(report(json(body.await?), &ignored))
}

/// Describes the server and the model that the query names, or the only one.
pub(crate) async fn props(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let model = query.find(|(name, _)| name == "model").map(|(_, model)| model.into_owned());
    let served = served(&server, &waits, model.as_deref()).await?;
    let prompts = served.prompts.as_deref();
    let template = prompts.and_then(|prompts| prompts.template(false));
    let tool_template =
        prompts.and_then(|prompts| prompts.template(true)).filter(|&text| Some(text) != template);
    let text = |token: Option<u32>| -> String {
        let piece = token.and_then(|token| prompts?.piece(token).ok());
        String::from_utf8_lossy(piece.unwrap_or_default()).into_owned()
    };
    let (begin, end) = prompts.map_or((None, None), Prompts::bounds);
    let bounds = [text(begin), text(end)];
    let sampling = served.chat.as_deref().map(ChatModel::sampling).unwrap_or_default();
    Ok(json(llama_server::properties_object(&Properties {
        id: &served.id,
        card: &served.card,
        template,
        tool_template,
        bounds: bounds.each_ref().map(String::as_str),
        slots: server.options.requests_max,
        sampling: &sampling,
    })))
}

/// Lists what is being answered to the tenant of who asks. With `fail_on_no_slot` in the query, that nothing is idle is an error.
pub(crate) async fn slots(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let has_free = server.activity.count() < server.options.requests_max;
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    if !has_free && query.any(|(name, _)| name == "fail_on_no_slot") {
        return Err(Failure::new(FailureKind::QueueFull, "no slot available").into());
    }
    let context = server.models.find(None, false).ok().map(|served| served.card.context);
    let busy = server.activity.slots(&waits.grant().tenant);
    Ok(json(llama_server::slot_list(&busy, has_free.then_some(context))))
}

/// Whether a path that OpenAI and llama-server share is answered in llama-server's shape: outside `/v1`, where the operator
/// wants its ways.
pub(crate) fn has_shared_path(options: &Options, uri: &Uri) -> bool {
    options.llama_server && !uri.path().starts_with("/v1/")
}

async fn respond(server: &Server, waits: &Waits, call: Call<Completion>) -> Result<Response, ApiError> {
    let Call { model, request: asked, delivery, ignored, keep_alive } = call;
    let Completion { requests, return_tokens, fields } = asked;
    let text = |request: &ChatRequest| match &request.prompt {
        Prompt::Text(text) => vec![Some(text.clone()); request.choices as usize],
        _ => vec![None; request.choices as usize],
    };
    let prompts: Vec<_> = requests.iter().flat_map(text).collect();
    // What all of them have in common.
    let (logprobs, max_tokens) =
        requests.first().map_or((None, None), |request| (request.logprobs, request.max_tokens));
    let choices = prompts.len() as u32;
    let writer = |Opening { model, .. }| {
        let reply = Reply { model, prompts, logprobs, return_tokens, max_tokens, fields };
        Box::new(Writer::new(reply, choices)) as _
    };
    answer(server, waits, Call { model, request: requests, delivery, ignored, keep_alive }, writer).await
}

/// Lets `make` look at how a model's prompts are made, on a thread where it holds nobody up.
async fn with_prompts(
    server: &Server,
    waits: &Waits,
    model: Option<&str>,
    make: impl FnOnce(&dyn Prompts) -> Result<String, Failure> + Send + 'static,
) -> Result<String, ApiError> {
    let served = served(server, waits, model).await?;
    let prompts = served.prompts.clone().ok_or_else(|| unable(server, waits.grant(), &served))?;
    match waits.within(tokio::task::spawn_blocking(move || make(&*prompts))).await? {
        Ok(made) => Ok(made?),
        Err(_panicked) => Err(ApiError::Panic),
    }
}

fn unable(server: &Server, grant: &Grant, served: &Served) -> ApiError {
    let able = server.models.names_where(|served| served.prompts.is_some() && grant.covers(&served.id));
    ApiError::UnableModel {
        id: served.id.clone(),
        why: "does not run here, so its tokens are not known",
        able,
    }
}

/// Tokens of a text, or of texts and tokens in turn: then only the first text gets what stands in front of a prompt.
fn tokens(prompts: &dyn Prompts, request: &Tokenize) -> Result<Vec<u32>, Failure> {
    let mut tokens = Vec::new();
    for (index, content) in request.content.iter().enumerate() {
        match content {
            Content::Token(token) => tokens.push(*token),
            Content::Text(text) => {
                let mut options = request.options;
                options.add_special &= index == 0;
                tokens.extend(prompts.tokenize(text, options)?);
            }
        }
    }
    Ok(tokens)
}
