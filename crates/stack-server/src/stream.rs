//! Answers as server-sent events.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use stack_chat::{ChatError, ChatEvent, Unused};
use stack_wire::openai::Chunks;
use stack_wire::sse;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::error::{ApiError, broken};
use crate::stopwatch::Stopwatch;

/// Starts the response when its first event is there, so that a request that cannot be answered gets a status of its
/// own, and one that can gets to know what of it has no effect. After `ping_after` of silence it starts anyway, lest
/// the client give up while the prompt is prepared.
pub(crate) async fn respond(
    mut events: Stopwatch,
    mut chunks: Chunks,
    ping_after: Duration,
) -> Result<(Response, Vec<Unused>), ApiError> {
    let mut opening = String::new();
    let mut not_used = Vec::new();
    match timeout(ping_after, events.next()).await {
        Ok(first) => {
            let first = first?;
            chunks.encode(&first, &mut opening);
            if let ChatEvent::Started { unused, .. } = first {
                not_used = unused;
            }
        }
        Err(_elapsed) => opening.push_str(sse::PING),
    }
    let frames =
        Frames { events: Some(events), chunks, opening, ping_after, ping: Box::pin(sleep(ping_after)) };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok(((headers, Body::from_stream(frames)).into_response(), not_used))
}

/// The body of a streamed response.
struct Frames {
    /// `None` once the last frame was made.
    events: Option<Stopwatch>,
    chunks: Chunks,
    /// Frames that were made before the response began.
    opening: String,
    ping_after: Duration,
    ping: Pin<Box<Sleep>>,
}

impl Stream for Frames {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut out = std::mem::take(&mut this.opening);
        while out.is_empty() {
            let Some(events) = &mut this.events else { return Poll::Ready(None) };
            // The status is sent, so a panic can only be told as an event.
            let event = catch_unwind(AssertUnwindSafe(|| Pin::new(events).poll_next(cx)));
            let Poll::Ready(event) = event.unwrap_or(Poll::Ready(None)) else {
                ready!(this.ping.as_mut().poll(cx));
                out.push_str(sse::PING);
                break;
            };
            this.encode(event.unwrap_or_else(|| Err(broken())), &mut out);
        }
        this.ping.as_mut().reset(Instant::now() + this.ping_after);
        Poll::Ready(Some(Ok(out)))
    }
}

impl Frames {
    fn encode(&mut self, event: Result<ChatEvent, ChatError>, out: &mut String) {
        let last = !matches!(
            event,
            Ok(ChatEvent::Started { .. } | ChatEvent::Delta(_) | ChatEvent::Finished { .. })
        );
        match event {
            Ok(event) => self.chunks.encode(&event, out),
            Err(error) => Chunks::fail(&ApiError::Chat(error).object(), out),
        }
        if last {
            self.events = None;
        }
    }
}
