//! How long a request waited for others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time that a request spent waiting for its client or its model. What is left of its duration is our own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    micros: Arc<AtomicU64>,
}

impl Waits {
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
