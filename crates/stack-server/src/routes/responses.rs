//! `POST /v1/responses` and `POST /v1/responses/input_tokens`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stack_chat::{ChatEvent, ChatRequest};
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
    let stored = server.stored.clone();
    let call = body.parse(move |body| finding(stored, |find| responses::parse_response(body, find)));
    let Call { model, request: asked, delivery, ignored, keep_alive } = call.await?;
    let ResponseRequest { request, echo, options, stored: input, background } = asked;
    let call = Call { model, request: vec![request], delivery, ignored, keep_alive };
    let stored = server.stored.clone().zip(input);
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
    let reply = reply(opening);
    let input = input.named(&reply.unique);
    Ok(report(json(stored.begin(reply, input, events)?), &ignored))
}

/// Counts the tokens of a conversation.
pub(crate) async fn input_tokens(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let stored = server.stored.clone();
    let call = body.parse(move |body| finding(stored, |find| responses::parse_count(body, find))).await?;
    let tokens = count(&server, &waits, call.model.as_deref(), call.request).await?;
    Ok(report(json(responses::count_object(tokens)), &call.ignored))
}

/// Lets `parse` look into the stored responses, if there are any.
fn finding<T>(stored: Option<Arc<StoredResponses>>, parse: impl FnOnce(Option<&Find<'_>>) -> T) -> T {
    match stored {
        Some(stored) => parse(Some(&|id: &str| stored.find(id))),
        None => parse(None),
    }
}
