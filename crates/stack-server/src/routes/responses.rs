//! `POST /v1/responses` and `POST /v1/responses/input_tokens`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::{ChatEvent, ChatRequest, Failure};
use stack_wire::Call;
use stack_wire::responses::{self, Find, Reply, ResponseRequest, StoredInput, Writer};

use crate::answer::{Opening, answer, begin, count, report};
use crate::body::WholeBody;
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::stored::{Record, StoredResponses};
use crate::waits::Waits;

/// Answers a conversation.
pub(crate) async fn create(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = parse(&server, &waits, body, responses::parse_response).await?;
    let Call { model, request: asked, delivery, ignored, keep_alive } = call;
    let ResponseRequest { request, echo, options, stored: input, background } = asked;
    let call = Call { model, request: vec![request], delivery, ignored, keep_alive };
    let stored = server.stored(waits.grant()).zip(input);
    let reply = |Opening { unique, created_s, model, sampling, .. }| {
        let echo = echo.completed(&sampling);
        Reply { unique, created_s, model, echo, options }
    };
    match stored {
        Some((stored, input)) if background => {
            in_background(&server, &waits, call, (&stored, input), reply).await
        }
        Some((stored, input)) => {
            let writer = |opening| {
                let reply = reply(opening);
                let input = input.named(&reply.unique);
                Box::new(Record::new(Writer::new(reply), input, stored)) as _
            };
            answer(&server, &waits, call, writer).await
        }
        None => answer(&server, &waits, call, |opening| Box::new(Writer::new(reply(opening))) as _).await,
    }
}

/// Begins a response that nobody waits for. Whether the prompt can be answered at all is still told at once.
async fn in_background(
    server: &Server,
    waits: &Waits,
    mut call: Call<Vec<ChatRequest>>,
    (stored, input): (&Arc<StoredResponses>, StoredInput),
    reply: impl FnOnce(Opening) -> Reply,
) -> Result<Response, ApiError> {
    let mut ignored = std::mem::take(&mut call.ignored);
    let (opening, mut events) = begin(server, waits, call).await?;
    if let ChatEvent::Started { unused, .. } = waits.on(events.next()).await? {
        unused.iter().for_each(|unused| ignored.note_unused(unused));
    }
    let mut reply = reply(opening);
    if let Some(answerer) = waits.record().read().answerer {
        reply.model = answerer.model;
    }
    let input = input.named(&reply.unique);
    Ok(report(json(stored.begin(reply, input, events)?), &ignored))
}

/// Counts the tokens of a conversation.
pub(crate) async fn input_tokens(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let call = parse(&server, &waits, body, responses::parse_count).await?;
    let tokens = count(&server, &waits, call.model.as_deref(), call.request).await?;
    Ok(report(json(responses::count_object(tokens)), &call.ignored))
}

/// Parses a body that may refer to stored responses, if there are any: then a short one may mean a long conversation.
async fn parse<T: Send + 'static>(
    server: &Server,
    waits: &Waits,
    body: WholeBody,
    parser: fn(&[u8], Option<&Find<'_>>) -> Result<T, Failure>,
) -> Result<T, ApiError> {
    match server.stored(waits.grant()) {
        Some(stored) => body.parse_apart(move |body| parser(body, Some(&|id: &str| stored.find(id)))).await,
        None => body.parse(move |body| parser(body, None)).await,
    }
}
