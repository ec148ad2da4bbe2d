//! From a parsed request to its response.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use stack_chat::{ChatError, ChatEvent, ChatRequest, Unused};
use stack_wire::Ignored;
use stack_wire::openai::{Call, Chunks, Delivery, Reply, Shape, Whole};

use crate::error::{ApiError, broken, json};
use crate::merge::merge;
use crate::server::Server;
use crate::stopwatch::Stopwatch;
use crate::stream;

/// Asks the model and returns its answer the way the caller wants it. A completion may hold several requests; their
/// choices are counted through.
#[expect(
    clippy::disallowed_methods,
    reason = "the time of an answer is the server's; nothing is decided by it"
)]
pub(crate) async fn answer(
    server: &Server,
    shape: Shape,
    call: Call<Vec<ChatRequest>>,
) -> Result<Response, ApiError> {
    let served = server.models.find(call.model.as_deref(), server.options.any_model)?;
    let Some(model) = &served.chat else {
        let able = server.models.names_where(|served| served.chat.is_some());
        let why = "answers no prompts: it makes embeddings only";
        return Err(ApiError::UnableModel { id: served.id.clone(), why, able });
    };
    let choices = call.request.iter().map(|request| request.choices).sum();
    let reply = Reply {
        shape,
        unique: server.ids.next(),
        created_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()),
        model: served.id.clone(),
        logprobs: call.request.first().and_then(|request| request.logprobs),
    };

    let watch = Stopwatch::start(Arc::clone(&server.metrics));
    let ask = |request: ChatRequest| Ok((request.choices, model.chat(request)?));
    let streams = call.request.into_iter().map(ask).collect::<Result<Vec<_>, ChatError>>()?;
    let events = watch.over(merge(streams));
    let (response, unused) = match call.delivery {
        Delivery::Whole => {
            let (body, unused) = collect(events, Whole::new(reply, choices)).await?;
            (json(body), unused)
        }
        Delivery::Stream { include_usage } => {
            stream::respond(events, Chunks::new(reply, choices, include_usage), server.options.ping_after)
                .await?
        }
    };
    let mut ignored = call.ignored;
    unused.iter().for_each(|unused| ignored.note_unused(unused));
    Ok(report(response, &ignored))
}

/// Lists what had no effect in the response's header.
pub(crate) fn report(mut response: Response, ignored: &Ignored) -> Response {
    if let Some(value) = ignored.header_value().and_then(|names| HeaderValue::try_from(names).ok()) {
        response.headers_mut().insert(IGNORED, value);
    }
    response
}

/// Collects a whole answer, and what the model's template did not look at.
async fn collect(mut events: Stopwatch, mut whole: Whole) -> Result<(String, Vec<Unused>), ChatError> {
    let mut not_used = Vec::new();
    loop {
        let event = events.next().await?;
        let last = matches!(event, ChatEvent::Done { .. });
        if let ChatEvent::Started { unused, .. } = &event {
            not_used.clone_from(unused);
        }
        whole.push(event);
        if last {
            return Ok((whole.finish().ok_or_else(broken)?, not_used));
        }
    }
}

const IGNORED: HeaderName = HeaderName::from_static("x-stack-ignored");
