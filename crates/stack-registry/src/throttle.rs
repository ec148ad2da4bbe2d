//! No more bytes per second than allowed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A rate that several threads share.
#[derive(Debug)]
pub struct SharedThrottle {
    began: Instant,
    throttle: Mutex<Throttle>,
}

impl SharedThrottle {
    /// Allows this rate.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { began: Instant::now(), throttle: Mutex::new(Throttle::new(bytes_per_second)) }
    }

    /// The rate.
    pub fn bytes_per_second(&self) -> u64 {
        self.lock().bytes_per_second
    }

    /// Takes bytes and returns how long to wait before more.
    pub fn take(&self, bytes: u64) -> Duration {
        let now = self.began.elapsed();
        self.lock().take(bytes, now)
    }

    fn lock(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spreads bytes over time, as a pure machine.
#[derive(Clone, Debug)]
pub struct Throttle {
    bytes_per_second: u64,
    /// When everything that was taken so far has been paid for.
    free_at: Duration,
}

impl Throttle {
    /// Allows this rate; at least one byte per second.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: Duration::ZERO }
    }

    /// Takes bytes and returns how long to wait before more.
    pub fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        self.free_at = self.free_at.max(now).saturating_add(cost);
        self.free_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time_and_rest_is_not_saved_up() {
        let mut throttle = Throttle::new(1000);
        let second = Duration::from_secs(1);
        assert_eq!(throttle.take(500, Duration::ZERO), second / 2);
        assert_eq!(throttle.take(1000, Duration::ZERO), second * 3 / 2);
        assert_eq!(throttle.take(1000, second * 100), second);
    }
}
