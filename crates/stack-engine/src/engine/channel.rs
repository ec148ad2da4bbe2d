//! The way of events from the worker to whoever asked.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use stack_chat::{ChatEvent, Failure, FailureKind};
use tokio::sync::mpsc;

/// Lets a request be one of those that the engine has accepted; given back when dropped.
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Takes a permit, unless all are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < max).then_some(count + 1))
            .ok()
            .map(|_| Self(Arc::clone(taken)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The worker's end. It holds the request's permit.
pub(super) struct Events {
    sender: mpsc::Sender<Result<ChatEvent, Failure>>,
    _permit: Permit,
}

impl Events {
    /// Sends an event; the reader may have gone, which [`Self::is_closed`] tells.
    pub(super) fn send(&self, event: Result<ChatEvent, Failure>) {
        // The worker checks for room before each step, and one step sends less than it checked for.
        let _gone = self.sender.try_send(event);
    }

    /// Sends a first event.
    pub(super) fn with(self, event: ChatEvent) -> Self {
        self.send(Ok(event));
        self
    }

    /// Whether the reader has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// How many tokens of each of `choices` choices may be sent without waiting.
    pub(super) fn room(&self, choices: usize) -> usize {
        self.sender.capacity() / (choices.max(1) * EVENTS_PER_STEP)
    }
}

/// The caller's end.
pub(super) struct EventReceiver {
    receiver: mpsc::Receiver<Result<ChatEvent, Failure>>,
    ended: bool,
}

impl Stream for EventReceiver {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = std::task::ready!(self.receiver.poll_recv(context));
        self.ended = !matches!(item, Some(Ok(ref event)) if !matches!(event, ChatEvent::Done { .. }));
        Poll::Ready(Some(item.unwrap_or_else(|| {
            // A stream never ends without saying how.
            Err(Failure::new(FailureKind::Draining, "the engine stopped before the answer was complete"))
        })))
    }
}

/// Makes a channel for a request of `choices` choices.
pub(super) fn channel(permit: Permit, choices: usize) -> (Events, EventReceiver) {
    let (sender, receiver) = mpsc::channel(EVENTS_MIN + choices * EVENTS_PER_STEP * STEPS_BUFFERED);
    (Events { sender, _permit: permit }, EventReceiver { receiver, ended: false })
}

/// A token may end one part and begin others: the end of a reasoning, text, a call. Each has a start, a delta and an end.
const EVENTS_PER_STEP: usize = 24;

/// Steps that a slow reader may lag behind before its request is paused.
const STEPS_BUFFERED: usize = 64;

const EVENTS_MIN: usize = 4;
