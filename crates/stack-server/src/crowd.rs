//! Connections that make room for others: when all places are taken, the one that came first of those that have wanted nothing
//! for a while goes.
//!
//! A client that keeps a connection open for its next request, or opens many to keep others out, so locks out nobody. One whose
//! request is being answered, or on its way, is never asked to go.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;

/// The connections of a listener.
#[derive(Default)]
pub(crate) struct Crowd {
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    /// Those who can be asked to go, by the order in which they came.
    present: BTreeMap<u64, Arc<State>>,
    next: u64,
}

struct State {
    work: Mutex<Work>,
    asked_to_go: Notify,
}

struct Work {
    /// Requests that are being answered.
    requests: usize,
    /// Since when there are none.
    idle_since: Instant,
}

/// A connection, as long as it is open.
pub(crate) struct Guest {
    crowd: Arc<Crowd>,
    number: u64,
    state: Arc<State>,
}

/// A request, as long as it is answered.
pub(crate) struct Answering(Arc<State>);

impl Crowd {
    /// Adds a connection.
    pub(crate) fn enter(self: &Arc<Self>) -> Guest {
        let mut guests = self.lock();
        let work = Work { requests: 0, idle_since: Instant::now() };
        let state = State { work: Mutex::new(work), asked_to_go: Notify::new() };
        let (number, state) = (guests.next, Arc::new(state));
        guests.next += 1;
        guests.present.insert(number, Arc::clone(&state));
        Guest { crowd: Arc::clone(self), number, state }
    }

    /// Asks one connection to go; false if all have wanted something of late.
    pub(crate) fn make_room(&self, now: Instant) -> bool {
        let mut guests = self.lock();
        let idle = guests.present.iter().find(|(_, state)| state.is_idle(now)).map(|(&number, _)| number);
        // Nobody is asked twice.
        let Some(state) = idle.and_then(|number| guests.present.remove(&number)) else { return false };
        state.asked_to_go.notify_one();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self, now: Instant) -> bool {
        let work = self.work();
        work.requests == 0 && now.saturating_duration_since(work.idle_since) >= IDLE_MIN
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Waits until the connection has to go. Whoever has asked something in the meantime stays.
    pub(crate) async fn has_to_go(&self) {
        loop {
            self.state.asked_to_go.notified().await;
            if self.state.is_idle(Instant::now()) {
                return;
            }
            // It can be asked again.
            self.crowd.lock().present.insert(self.number, Arc::clone(&self.state));
        }
    }

    /// Notes that a request is answered.
    pub(crate) fn answers(&self) -> Answering {
        self.state.work().requests += 1;
        Answering(Arc::clone(&self.state))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.lock().present.remove(&self.number);
    }
}

impl Answering {
    /// Goes on as long as a body is sent.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        Body::new(Sending { body, _answering: self })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.requests -= 1;
        work.idle_since = Instant::now();
    }
}

/// A body that is being sent.
struct Sending {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that is younger may have its request on the way.
const IDLE_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells whether a connection has been asked to go.
    async fn goes(guest: &Guest) -> bool {
        tokio::select! {
            biased;
            () = guest.has_to_go() => true,
            () = std::future::ready(()) => false,
        }
    }

    impl Guest {
        /// Lets it want nothing for a while.
        fn wait(&self) {
            self.state.work().idle_since -= IDLE_MIN;
        }
    }

    #[tokio::test]
    async fn who_came_first_and_has_wanted_nothing_goes() {
        let crowd = Arc::new(Crowd::default());
        let make_room = || crowd.make_room(Instant::now());
        let [busy, first, second] = [crowd.enter(), crowd.enter(), crowd.enter()];
        assert!(!make_room(), "all have only come");
        [&busy, &first, &second].into_iter().for_each(Guest::wait);
        let sending = busy.answers().until_sent(Body::from("a"));
        assert!(make_room());
        assert_eq!((goes(&busy).await, goes(&first).await, goes(&second).await), (false, true, false));
        drop(second);
        assert!(!make_room(), "the one that is left is answered");
        drop(sending);
        assert!(!make_room(), "and may ask again");
        busy.wait();
        assert!(make_room() && goes(&busy).await);
        assert!(!make_room(), "nobody is asked twice");
    }

    #[tokio::test]
    async fn who_has_asked_in_the_meantime_stays() {
        let crowd = Arc::new(Crowd::default());
        let guest = crowd.enter();
        guest.wait();
        assert!(crowd.make_room(Instant::now()));
        let answering = guest.answers();
        assert!(!goes(&guest).await);
        drop(answering);
        guest.wait();
        assert!(crowd.make_room(Instant::now()) && goes(&guest).await, "it goes another time");
    }
}
