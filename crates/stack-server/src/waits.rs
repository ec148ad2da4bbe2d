//! What goes with a request from its head to its answer: how it is to be served, and how long it waited for others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::terms::Terms;

/// The time that a request spent waiting for its client or its model. What is left of its duration is our own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    micros: Arc<AtomicU64>,
    terms: Terms,
}

impl Waits {
    /// Starts to count for a request on these terms.
    pub(crate) fn new(terms: Terms) -> Self {
        Self { micros: Arc::default(), terms }
    }

    /// How the caller wants to be served.
    pub(crate) fn terms(&self) -> Terms {
        self.terms
    }

    /// Waits for `other`, and counts the time.
    pub(crate) async fn on<F: Future>(&self, other: F) -> F::Output {
        let since = Instant::now();
        let output = other.await;
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        output
    }

    /// Returns the time so far.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_others_take_is_counted() {
        let waits = Waits::default();
        assert_eq!(waits.total(), Duration::ZERO);
        let pause = Duration::from_millis(10);
        waits.on(tokio::time::sleep(pause)).await;
        assert!(waits.total() >= pause);
    }
}
