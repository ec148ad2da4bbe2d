//! Several streams as one.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use stack_chat::{ChatEvent, EventStream, Failure, Timings, Usage};

use crate::error::broken;

/// Joins the streams of several requests, given with their number of choices. The choices of the second request are
/// counted on from those of the first, and so on; events come in the order in which they happen.
pub(crate) fn merge(mut streams: Vec<(u32, EventStream)>) -> EventStream {
    if streams.len() == 1 {
        return streams.remove(0).1;
    }
    let mut first_choice = 0;
    let parts = streams
        .into_iter()
        .map(|(choices, events)| {
            let part = Part { first_choice, events: Some(events) };
            first_choice += choices;
            part
        })
        .collect();
    Box::pin(Merged {
        parts,
        turn: 0,
        started: false,
        ended: false,
        usage: Usage::default(),
        timings: Timings::default(),
    })
}

struct Merged {
    parts: Vec<Part>,
    /// The part that is asked first next time, so that a busy one cannot silence the others.
    turn: usize,
    started: bool,
    ended: bool,
    usage: Usage,
    timings: Timings,
}

struct Part {
    first_choice: u32,
    events: Option<EventStream>,
}

impl Stream for Merged {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        for step in 0..this.parts.len() {
            let index = (this.turn + step) % this.parts.len();
            while let Some(events) = &mut this.parts[index].events {
                let Poll::Ready(event) = events.as_mut().poll_next(cx) else { break };
                let event = event.unwrap_or_else(|| Err(broken()));
                if let Some(event) = event.map(|event| this.absorb(index, event)).transpose() {
                    this.turn = index + 1;
                    if event.is_err() {
                        this.ended = true;
                        this.parts.clear();
                    }
                    return Poll::Ready(Some(event));
                }
            }
        }
        if this.parts.iter().any(|part| part.events.is_some()) {
            return Poll::Pending;
        }
        this.ended = true;
        Poll::Ready(Some(Ok(ChatEvent::Done { usage: this.usage, timings: this.timings })))
    }
}

impl Merged {
    /// Returns the event as part of the whole, or `None` if the whole has nothing to say yet.
    fn absorb(&mut self, index: usize, event: ChatEvent) -> Option<ChatEvent> {
        let first_choice = self.parts[index].first_choice;
        match event {
            ChatEvent::Started { .. } if std::mem::replace(&mut self.started, true) => None,
            started @ ChatEvent::Started { .. } => Some(started),
            ChatEvent::PartStarted { choice, part, kind } => {
                Some(ChatEvent::PartStarted { choice: choice + first_choice, part, kind })
            }
            ChatEvent::OpaqueAdded { choice, part, opaque } => {
                Some(ChatEvent::OpaqueAdded { choice: choice + first_choice, part, opaque })
            }
            ChatEvent::CitationAdded { choice, part, citation } => {
                Some(ChatEvent::CitationAdded { choice: choice + first_choice, part, citation })
            }
            ChatEvent::PartEnded { choice, part } => {
                Some(ChatEvent::PartEnded { choice: choice + first_choice, part })
            }
            // What one request has used so far says nothing about all of them.
            ChatEvent::Usage(_) => None,
            ChatEvent::Alive => Some(ChatEvent::Alive),
            ChatEvent::Delta(mut delta) => {
                delta.choice += first_choice;
                Some(ChatEvent::Delta(delta))
            }
            ChatEvent::Finished { choice, reason, stop } => {
                Some(ChatEvent::Finished { choice: choice + first_choice, reason, stop })
            }
            ChatEvent::Done { usage, timings } => {
                self.usage += usage;
                self.timings.queue = self.timings.queue.max(timings.queue);
                self.timings.prefill += timings.prefill;
                self.timings.decode += timings.decode;
                self.parts[index].events = None;
                None
            }
        }
    }
}
