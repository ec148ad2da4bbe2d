//! From a parsed request to its response.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use stack_chat::{
    Answerer, Basis, ChatEvent, ChatModel, ChatRequest, Class, Commit, EmbedRequest, Embeddings, Failure,
    ModelCard, RankRequest, Ranking, RouteAttempt, Sampling, Unused,
};
use stack_wire::native::LineageReport;
use stack_wire::{Answer, AnswerWriter, Call, Delivery, Ignored, KeepAlive};

use crate::auth::rates::Meter;
use crate::auth::{Grant, Scope};
use crate::error::{ApiError, json};
use crate::merge::merge;
use crate::models::Served;
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::stream;
use crate::waits::Waits;

/// What an answer is told about itself before it begins.
pub(crate) struct Opening {
    /// What tells its identifier from all others.
    pub(crate) unique: String,
    /// When it began, in seconds since 1970.
    pub(crate) created_s: u64,
    /// The model that answers.
    pub(crate) model: String,
    /// The provider that it runs at, if it does not run here.
    pub(crate) provider: Option<String>,
    /// Where its answers come from.
    pub(crate) class: Class,
    /// Why its weights are taken to be the right ones.
    pub(crate) basis: Option<Basis>,
    /// The digest of its weights.
    pub(crate) digest: Option<String>,
    /// What it uses where a request leaves it open.
    pub(crate) sampling: Sampling,
}

/// Finds the model that a request asks for, if its key is for it. Where it is loaded first, that is a wait like the one for
/// the answer.
pub(crate) async fn served(
    server: &Server,
    waits: &Waits,
    asked: Option<&str>,
) -> Result<Arc<Served>, ApiError> {
    server.permit(waits.grant(), asked, server.options.any_model).await?;
    let any_model = server.options.any_model;
    let stand_in = server.models.stand_in(asked, any_model).transpose()?;
    waits.within(server.models.get(stand_in.as_deref().or(asked), any_model)).await?
}

/// Finds what answers a conversation: the model that a request asks for, or what an alias means.
async fn answering(server: &Server, waits: &Waits, asked: Option<&str>) -> Result<Arc<Served>, ApiError> {
    server.permit(waits.grant(), asked, server.options.any_model).await?;
    if let Some(alias) = server.models.alias(asked, server.options.any_model) {
        return Ok(alias);
    }
    let served = waits.within(server.models.get(asked, server.options.any_model)).await??;
    if served.card.provider.is_none() {
        // It answers, or nobody does.
        waits.record().note(|lineage| {
            let answerer = answerer(&served);
            let attempt = RouteAttempt {
                route: answerer.route(),
                began: Duration::ZERO,
                first_output: None,
                took: None,
                failure: None,
            };
            lineage.attempts = vec![attempt];
            lineage.answerer = Some(answerer);
        });
    }
    Ok(served)
}

fn answerer(served: &Served) -> Answerer {
    let ModelCard { provider, class, basis, digest, .. } = served.card.clone();
    Answerer { model: served.id.clone(), provider, class, basis, digest }
}

/// Begins to measure an answer of a model.
fn watch(server: &Server, waits: &Waits, served: &Arc<Served>) -> Stopwatch {
    let active = server.activity.begin(served, &waits.grant().tenant);
    let meter = Meter::new(&server.rates, waits.grant());
    Stopwatch::start(Arc::clone(&server.metrics), active, meter, waits.record().clone())
}

/// Begins an answer of a model.
fn opening(server: &Server, served: &Served) -> Opening {
    Opening {
        unique: server.ids.next(),
        created_s: now_s(),
        model: served.id.clone(),
        provider: served.card.provider.clone(),
        class: served.card.class,
        basis: served.card.basis,
        digest: served.card.digest.clone(),
        sampling: served.chat.as_deref().map(ChatModel::sampling).unwrap_or_default(),
    }
}

/// The time, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the time of an answer is the server's; nothing is decided by it"
)]
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Asks the model and returns its answer the way the caller wants it, in the dialect of `writer`. A call may hold several
/// requests; their choices are counted through.
pub(crate) async fn answer(
    server: &Server,
    waits: &Waits,
    mut call: Call<Vec<ChatRequest>>,
    writer: impl FnOnce(Opening) -> Box<dyn AnswerWriter>,
) -> Result<Response, ApiError> {
    let mut ignored = std::mem::take(&mut call.ignored);
    let answered = ask(server, waits, call, writer).await;
    let (response, unused) = answered.map_err(|error| error.in_words_of(&ignored))?;
    unused.iter().for_each(|unused| ignored.note_unused(unused));
    Ok(report(response, &ignored))
}

/// Asks the model, and says what of the requests had no effect.
async fn ask(
    server: &Server,
    waits: &Waits,
    call: Call<Vec<ChatRequest>>,
    writer: impl FnOnce(Opening) -> Box<dyn AnswerWriter>,
) -> Result<(Response, Vec<Unused>), ApiError> {
    let choices = call.request.iter().map(|request| request.choices).sum();
    let delivery = call.delivery;
    let (opening, events) = begin(server, waits, call).await?;
    let writer = writer(opening);
    match delivery {
        Delivery::Whole => Ok(collect(waits, events, choices, writer).await?),
        Delivery::Stream { .. } => stream::respond(waits, events, writer, server.options.ping_after).await,
    }
}

/// Asks the model, and begins to measure its answer.
pub(crate) async fn begin(
    server: &Server,
    waits: &Waits,
    call: Call<Vec<ChatRequest>>,
) -> Result<(Opening, Stopwatch), ApiError> {
    let served = answering(server, waits, call.model.as_deref()).await?;
    let model = talking(server, waits.grant(), &served)?;
    stay(server, waits.grant(), &served, call.keep_alive);
    server.lineages.keep(
        &waits.grant().tenant,
        LineageReport {
            request_id: waits.request_id().to_owned(),
            created_s: now_s(),
            requested: call.model.clone(),
            record: waits.record().clone(),
        },
    );
    let opening = opening(server, &served);
    let is_whole = call.delivery == Delivery::Whole;
    let mut watch = watch(server, waits, &served);
    let is_limited = waits.grant().limits.tokens.is_some();
    let mut expected = 0_u32;
    let ask = |request: ChatRequest| {
        let mut request = waits.ask(request);
        server.models.admit_tier(request.tier)?;
        // An estimate costs as much as rendering the request, so it is made where somebody counts.
        if is_limited && let Some(estimate) = model.estimate(&request) {
            expected = expected.saturating_add(estimate.unwrap_or(0));
        }
        waits.record().note(|lineage| lineage.tier = server.models.effective_tier(request.tier));
        // Who gets an answer as a whole has seen nothing of it before, so that another model may always take over.
        if is_whole {
            request.routing.commit.get_or_insert(Commit::Proof);
        }
        Ok((request.choices, model.chat(request)?))
    };
    let streams = call.request.into_iter().map(ask).collect::<Result<Vec<_>, Failure>>()?;
    if expected > 0 {
        watch.expect(expected);
    }
    Ok((opening, watch.over(merge(streams))))
}

/// Counts the tokens of a prompt. The model is asked as for an answer and left at the first event, which tells; a prompt
/// that does not fit has been counted, too.
pub(crate) async fn count(
    server: &Server,
    waits: &Waits,
    model: Option<&str>,
    request: ChatRequest,
) -> Result<u32, ApiError> {
    let served = answering(server, waits, model).await?;
    let request = waits.ask(ChatRequest { max_tokens: Some(1), ..request });
    server.models.admit_tier(request.tier)?;
    let model = talking(server, waits.grant(), &served)?;
    if let Some(estimate) = model.estimate(&request) {
        return Ok(estimate?);
    }
    let stream = model.chat(request)?;
    // What is only counted costs nothing.
    let active = server.activity.begin(&served, &waits.grant().tenant);
    let meter = Meter::new(&server.rates, &server.operator);
    let mut events =
        Stopwatch::start(Arc::clone(&server.metrics), active, meter, waits.record().clone()).over(stream);
    match waits.on(events.next()).await {
        Ok(ChatEvent::Started { prompt_tokens, .. }) => Ok(prompt_tokens),
        Ok(event) => Err(Failure::internal(format!("the first event is {event:?}")).into()),
        Err(Failure { overflow: Some(overflow), .. }) => Ok(overflow.prompt_tokens),
        Err(failure) => Err(failure.into()),
    }
}

/// Embeds, and returns the vectors as `render` writes them down with the name of the model.
pub(crate) async fn embeddings(
    server: &Server,
    waits: &Waits,
    call: Call<EmbedRequest>,
    render: impl FnOnce(&Served, &Embeddings) -> String,
) -> Result<Response, ApiError> {
    let served = served(server, waits, call.model.as_deref()).await?;
    let Some(embedder) = &served.embedder else {
        let able =
            server.models.names_where(|served| served.embedder.is_some() && waits.grant().covers(&served.id));
        return Err(ApiError::UnableModel { id: served.id.clone(), why: "makes no embeddings", able });
    };
    stay(server, waits.grant(), &served, call.keep_alive);
    server.models.admit_tier(waits.tier())?;
    let mut watch = watch(server, waits, &served);
    let embeddings = waits.within(embedder.embed(call.request)).await??;
    watch.read(embeddings.tokens);
    drop(watch);
    Ok(report(json(render(&served, &embeddings)), &call.ignored))
}

/// Ranks documents, and returns the ranking as `render` writes it down with the name of the model.
pub(crate) async fn ranking<F>(
    server: &Server,
    waits: &Waits,
    call: Call<(RankRequest, F)>,
    render: impl FnOnce(&str, &Ranking, &F) -> String,
) -> Result<Response, ApiError> {
    let served = served(server, waits, call.model.as_deref()).await?;
    let Some(reranker) = &served.reranker else {
        let able =
            server.models.names_where(|served| served.reranker.is_some() && waits.grant().covers(&served.id));
        return Err(ApiError::UnableModel { id: served.id.clone(), why: "ranks no documents", able });
    };
    stay(server, waits.grant(), &served, call.keep_alive);
    server.models.admit_tier(waits.tier())?;
    let mut watch = watch(server, waits, &served);
    let (request, format) = call.request;
    let ranking = waits.within(reranker.rank(request)).await??;
    watch.read(ranking.tokens);
    drop(watch);
    Ok(report(json(render(&served.id, &ranking, &format)), &call.ignored))
}

/// Lets a model stay for as long as the request says, if it says so. That concerns everybody who shares the memory, so it has
/// no effect where the request's key is for asking alone.
pub(crate) fn stay(server: &Server, grant: &Grant, served: &Served, keep_alive: Option<KeepAlive>) {
    if let Some(keep_alive) = keep_alive.filter(|_| grant.scopes.allow(Scope::Operate)) {
        server.models.keep(&served.id, keep_alive);
    }
}

/// Returns what of a model answers prompts.
fn talking<'a>(server: &Server, grant: &Grant, served: &'a Served) -> Result<&'a dyn ChatModel, ApiError> {
    served.chat.as_deref().ok_or_else(|| {
        let able = server.models.names_where(|served| served.chat.is_some() && grant.covers(&served.id));
        let why = "answers no prompts: it makes embeddings only";
        ApiError::UnableModel { id: served.id.clone(), why, able }
    })
}

/// Tells a writer who answers, which may have turned out only now.
pub(crate) fn answered_by(waits: &Waits, writer: &mut dyn AnswerWriter) {
    if let Some(answerer) = waits.record().read().answerer {
        writer.answered_by(&answerer);
    }
}

/// Lists what had no effect in the response's header.
pub(crate) fn report(mut response: Response, ignored: &Ignored) -> Response {
    if let Some(value) = ignored.header_value().and_then(|names| HeaderValue::try_from(names).ok()) {
        response.headers_mut().insert(IGNORED, value);
    }
    response
}

/// Waits for a whole answer, and says what of the request had no effect.
async fn collect(
    waits: &Waits,
    mut events: Stopwatch,
    choices: u32,
    mut writer: Box<dyn AnswerWriter>,
) -> Result<(Response, Vec<Unused>), Failure> {
    let mut answer = Answer::new(choices);
    let mut not_used = Vec::new();
    while !answer.is_complete() {
        let event = waits.on(events.next()).await?;
        if let ChatEvent::Started { unused, .. } = &event {
            not_used.clone_from(unused);
        }
        answer.push(event);
    }
    answered_by(waits, writer.as_mut());
    Ok((json(writer.whole(&answer)), not_used))
}

const IGNORED: HeaderName = HeaderName::from_static("x-stack-ignored");
