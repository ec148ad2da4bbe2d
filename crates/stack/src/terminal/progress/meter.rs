//! How fast bytes move.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Measures over the last few seconds. Bytes that were there before it began are never told of, so they do not count.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// When how many bytes had been moved, the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Begins, with nothing moved yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { samples: VecDeque::from([(now, 0)]) }
    }

    /// Takes note of how many bytes have been moved since it began.
    pub(crate) fn note(&mut self, now: Instant, moved: u64) {
        if let Some(&(last, _)) = self.samples.back()
            && self.samples.len() > 1
            && now.duration_since(last) < PAUSE
        {
            return;
        }
        self.samples.push_back((now, moved));
        while self.samples.get(1).is_some_and(|&(at, _)| now.duration_since(at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Returns bytes per second; `None` until that can be told.
    pub(crate) fn rate(&self) -> Option<u64> {
        let (&(first, from), &(last, to)) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.duration_since(first).as_secs_f64();
        (seconds >= SECONDS_MIN).then(|| (to.saturating_sub(from) as f64 / seconds) as u64)
    }
}

/// What is older says nothing about now.
const WINDOW: Duration = Duration::from_secs(5);
/// More samples would change nothing.
const PAUSE: Duration = Duration::from_millis(100);
/// What was measured for a shorter time is chance.
const SECONDS_MIN: f64 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut meter = Meter::new(start);
        assert_eq!(meter.rate(), None);
        meter.note(at(10), 1 << 40);
        assert_eq!(meter.rate(), None, "ten milliseconds are chance");
        let mut meter = Meter::new(start);
        for second in 1..=20 {
            meter.note(at(second * 1000), second * 1000);
        }
        assert_eq!(meter.rate(), Some(1000));
        for second in 21..=40 {
            meter.note(at(second * 1000), 20_000 + (second - 20) * 10);
        }
        assert_eq!(meter.rate(), Some(10), "it was faster long ago");
        assert!(meter.samples.len() < 10);
    }

    #[test]
    fn many_notes_take_no_memory() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for millis in 0..100_000 {
            meter.note(start + Duration::from_millis(millis), millis);
        }
        assert!(meter.samples.len() < 100);
        assert_eq!(meter.rate(), Some(1000));
    }
}
