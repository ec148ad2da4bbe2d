//! A stream whose events are made by a future, which runs only while somebody reads.
//!
//! Nothing is spawned: the work belongs to the stream, goes no faster than it is read, and ends when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use stack_chat::{ChatEvent, Failure};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Where the future puts its events.
pub(crate) type Outlet = Sender<Result<ChatEvent, Failure>>;

/// The stream.
pub(crate) struct Driven {
    events: Receiver<Result<ChatEvent, Failure>>,
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Driven {
    /// Makes a stream of what the future sends.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce(Outlet) -> F) -> Self {
        let (outlet, events) = mpsc::channel(EVENTS);
        Self { events, work: Some(Box::pin(work(outlet))) }
    }
}

impl Stream for Driven {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // What was sent comes first; the channel ends with the work. It is not waited on: only the work fills it, and who has
            // had its share of the runtime would be told that it is empty when it is not.
            match self.events.try_recv() {
                Ok(event) => return Poll::Ready(Some(event)),
                Err(TryRecvError::Disconnected) => return Poll::Ready(None),
                Err(TryRecvError::Empty) => {}
            }
            let Some(work) = &mut self.work else { return Poll::Ready(None) };
            match work.as_mut().poll(cx) {
                Poll::Ready(()) => self.work = None,
                Poll::Pending if self.events.is_empty() => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }
}

/// How far the work may be ahead of who reads.
const EVENTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_events_at_once_pass_through_streams_within_streams() {
        let inner: stack_chat::EventStream = Box::pin(Driven::new(async |outlet: Outlet| {
            for _ in 0..2000 {
                outlet.send(Ok(ChatEvent::Alive)).await.unwrap();
            }
        }));
        let mut outer = Box::pin(Driven::new(async move |outlet: Outlet| {
            let mut inner = inner;
            while let Some(event) = poll_fn(|cx| inner.as_mut().poll_next(cx)).await {
                outlet.send(event).await.unwrap();
            }
        }));
        let mut count = 0;
        while poll_fn(|cx| outer.as_mut().poll_next(cx)).await.is_some() {
            count += 1;
        }
        assert_eq!(count, 2000);
    }

    #[tokio::test]
    async fn the_work_waits_for_who_reads_and_ends_with_the_stream() {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let mut stream = Box::pin(Driven::new(async move |outlet: Outlet| {
            for _ in 0..40 {
                counted.fetch_add(1, Ordering::Relaxed);
                outlet.send(Ok(ChatEvent::Alive)).await.unwrap();
            }
        }));
        assert_eq!(made.load(Ordering::Relaxed), 0, "nobody has read yet");
        poll_fn(|cx| stream.as_mut().poll_next(cx)).await.unwrap().unwrap();
        assert!(made.load(Ordering::Relaxed) <= EVENTS + 1);
        let mut count = 1;
        while poll_fn(|cx| stream.as_mut().poll_next(cx)).await.is_some() {
            count += 1;
        }
        assert_eq!((count, made.load(Ordering::Relaxed)), (40, 40));
    }
}
