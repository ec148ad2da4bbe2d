//! Answers that are sent while they are generated.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use stack_chat::{ChatEvent, Failure, Unused};
use stack_wire::AnswerWriter;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::answer::answered_by;
use crate::error::{ApiError, broken, log};
use crate::stopwatch::Stopwatch;
use crate::waits::Waits;

/// Starts the response when its first event is there, so that a request that cannot be answered gets a status of its
/// own, and one that can gets to know what of it has no effect. After `ping_after` of silence it starts anyway, lest
/// the client give up while the prompt is prepared.
pub(crate) async fn respond(
    waits: &Waits,
    mut events: Stopwatch,
    mut writer: Box<dyn AnswerWriter>,
    ping_after: Duration,
) -> Result<(Response, Vec<Unused>), ApiError> {
    let mut opening = String::new();
    let mut not_used = Vec::new();
    let mut opening_is_alone = false;
    match waits.on(timeout(ping_after, events.next())).await {
        Ok(first) => {
            let first = first?;
            answered_by(waits, writer.as_mut());
            writer.event(&first, &mut opening);
            if let ChatEvent::Started { unused, .. } = first {
                not_used = unused;
            }
        }
        Err(_elapsed) => {
            opening.push_str(writer.alive());
            opening_is_alone = true;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, writer.media_type()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let ping = Box::pin(sleep(ping_after));
    // Who answers is known from the first event on.
    let late = opening_is_alone.then(|| waits.clone());
    let frames = Frames { state: State::Running(events), writer, late, opening, ping_after, ping };
    Ok(((headers, Body::from_stream(frames)).into_response(), not_used))
}

/// The body of a streamed response.
struct Frames {
    state: State,
    writer: Box<dyn AnswerWriter>,
    /// What tells who answers, where the response began before that was known.
    late: Option<Waits>,
    /// Frames that were made before the response began.
    opening: String,
    ping_after: Duration,
    ping: Pin<Box<Sleep>>,
}

/// How far a body is.
enum State {
    /// More frames come from these events.
    Running(Stopwatch),
    /// The last frame was made, and is to be on its way before the body breaks off.
    Failed,
    /// The body breaks off behind its last frame, lest a client take its end for a good one.
    Broken,
    /// The last frame was made.
    Complete,
}

impl Stream for Frames {
    type Item = Result<String, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut out = std::mem::take(&mut this.opening);
        while out.is_empty() {
            let events = match &mut this.state {
                State::Running(events) => events,
                State::Failed => {
                    // A connection that breaks takes along what it has not sent yet. It sends when there is nothing to wait for.
                    this.state = State::Broken;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Broken => {
                    this.state = State::Complete;
                    let failed = io::Error::other("the answer failed; its last event says why");
                    return Poll::Ready(Some(Err(failed)));
                }
                State::Complete => return Poll::Ready(None),
            };
            // The status is sent, so a panic can only be told as an event.
            let event = catch_unwind(AssertUnwindSafe(|| Pin::new(events).poll_next(cx)));
            let Poll::Ready(event) = event.unwrap_or(Poll::Ready(None)) else {
                ready!(this.ping.as_mut().poll(cx));
                out.push_str(this.writer.alive());
                break;
            };
            this.encode(event.unwrap_or_else(|| Err(broken())), &mut out);
        }
        this.ping.as_mut().reset(Instant::now() + this.ping_after);
        Poll::Ready(Some(Ok(out)))
    }
}

impl Frames {
    fn encode(&mut self, event: Result<ChatEvent, Failure>, out: &mut String) {
        match event {
            Ok(event) => {
                if let Some(waits) = self.late.take() {
                    answered_by(&waits, self.writer.as_mut());
                }
                self.writer.event(&event, out);
                if matches!(event, ChatEvent::Done { .. }) {
                    self.state = State::Complete;
                }
            }
            Err(failure) => {
                log(&failure);
                self.writer.failure(&failure, out);
                self.state = if self.writer.cuts_off() { State::Failed } else { State::Complete };
            }
        }
    }
}
