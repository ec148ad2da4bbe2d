//! How many connections pay.

use std::time::Duration;

/// Watches the rate and allows one connection more as long as the last one brought at least a tenth.
///
/// Once one did not pay, it is taken back and the number stays.
#[derive(Clone, Debug)]
pub(super) struct Concurrency {
    allowed: usize,
    max: usize,
    /// The rate before the newest connection, in bytes per second.
    before: Option<f64>,
    since: Duration,
    bytes: u64,
}

impl Concurrency {
    pub(super) fn new(connections: usize, max: usize, now: Duration) -> Self {
        Self { allowed: connections.max(1), max: max.max(1), before: None, since: now, bytes: 0 }
    }

    /// Returns how many connections there may be.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// Counts bytes that came.
    pub(super) fn received(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Decides, once per window; `busy` says whether every allowed connection was in use.
    pub(super) fn tick(&mut self, now: Duration, busy: bool) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed < WINDOW {
            return;
        }
        let rate = self.bytes as f64 / elapsed.as_secs_f64();
        (self.since, self.bytes) = (now, 0);
        if !busy || self.allowed > self.max {
            return;
        }
        match self.before {
            Some(before) if rate < before * WORTH => {
                self.allowed -= 1;
                // It has settled: there is nothing left to try.
                self.max = 0;
            }
            _ if self.allowed < self.max => {
                self.before = Some(rate);
                self.allowed += 1;
            }
            _ => {}
        }
    }
}

/// Rates are measured over this time.
const WINDOW: Duration = Duration::from_secs(5);
/// What a connection must bring.
const WORTH: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs windows in which the rate is a function of the number of connections.
    fn settle(rate: impl Fn(usize) -> f64) -> usize {
        let mut concurrency = Concurrency::new(4, 8, Duration::ZERO);
        for window in 1..=20 {
            concurrency.received((rate(concurrency.allowed()) * WINDOW.as_secs_f64()) as u64);
            concurrency.tick(WINDOW * window, true);
        }
        concurrency.allowed()
    }

    #[test]
    fn connections_grow_while_they_pay() {
        assert_eq!(settle(|connections| connections as f64 * 1e6), 8);
        assert_eq!(settle(|_| 1e7), 4);
        assert_eq!(settle(|connections| connections.min(6) as f64 * 1e6), 6);
    }

    #[test]
    fn idle_connections_ask_for_no_more() {
        let mut concurrency = Concurrency::new(4, 8, Duration::ZERO);
        for window in 1..=20 {
            concurrency.tick(WINDOW * window, false);
        }
        assert_eq!(concurrency.allowed(), 4);
    }
}
