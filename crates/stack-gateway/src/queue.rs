//! Whether a request waits here or goes to somebody who has room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many requests a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// From how many on others are asked first.
    pub threshold: u32,
    /// From how many on it takes no more.
    pub queue_max: u32,
}

/// A backend, and how many requests it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many requests it has.
    pub depth: u32,
    /// How many it takes.
    pub limits: QueueLimits,
}

/// Who takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spillover {
    /// The backend on this machine.
    Local,
    /// The other one with this number.
    Other(usize),
    /// Nobody.
    Full,
}

/// Counts the requests that a backend has.
#[derive(Clone, Debug, Default)]
pub struct Occupancy(Arc<AtomicU32>);

/// A request that a backend has, until it is dropped: with its stream, so that none is forgotten.
#[derive(Debug)]
#[must_use = "a request that is dropped is not counted"]
pub struct InFlight(Arc<AtomicU32>);

impl Default for QueueLimits {
    fn default() -> Self {
        Self { threshold: 10, queue_max: 50 }
    }
}

impl Queue {
    /// Tells how full it is, in percent.
    pub fn percent(&self) -> f64 {
        if self.limits.queue_max == 0 {
            return 0.0;
        }
        f64::from(self.depth) * 100.0 / f64::from(self.limits.queue_max)
    }

    /// Tells whether others will soon be asked first: from four fifths of the threshold on.
    pub fn is_near(&self) -> bool {
        u64::from(self.depth) * 5 >= u64::from(self.limits.threshold) * 4
    }

    /// Decides who takes a request: the backend on this machine while it has few, then the first of `others` that has
    /// room. Those whom the tier of the request does not allow are not among them.
    pub fn place(&self, others: &[Self]) -> Spillover {
        if self.depth < self.limits.threshold.min(self.limits.queue_max) {
            return Spillover::Local;
        }
        match others.iter().position(|other| other.depth < other.limits.queue_max) {
            Some(other) => Spillover::Other(other),
            None if self.depth < self.limits.queue_max => Spillover::Local,
            None => Spillover::Full,
        }
    }
}

impl Occupancy {
    /// Counts a request, as long as what is returned lives.
    pub fn enter(&self) -> InFlight {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    /// Returns how many requests there are.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(depth: u32, threshold: u32, queue_max: u32) -> Queue {
        Queue { depth, limits: QueueLimits { threshold, queue_max } }
    }

    #[test]
    fn requests_stay_here_until_others_have_more_room() {
        let idle = [queue(0, 10, 50)];
        let full = [queue(50, 10, 50)];
        for (local, others, want) in [
            (queue(0, 10, 50), &idle[..], Spillover::Local),
            (queue(9, 10, 50), &idle, Spillover::Local),
            (queue(10, 10, 50), &idle, Spillover::Other(0)),
            (queue(3, 2, 50), &idle, Spillover::Other(0)),
            (queue(3, 2, 50), &full, Spillover::Local),
            (queue(50, 2, 50), &[full[0], idle[0]], Spillover::Other(1)),
            (queue(3, 2, 3), &[], Spillover::Full),
            (queue(50, 2, 50), &full, Spillover::Full),
            (queue(0, 10, 0), &[], Spillover::Full),
            // Under Sovereign there are no others.
            (queue(15, 10, 50), &[], Spillover::Local),
        ] {
            assert_eq!(local.place(others), want, "{local:?} {others:?}");
        }
    }

    #[test]
    fn how_full_a_queue_is_is_told_in_percent_and_in_time() {
        assert_eq!(queue(25, 10, 100).percent(), 25.0);
        assert_eq!(queue(25, 10, 0).percent(), 0.0);
        assert!(queue(8, 10, 50).is_near() && !queue(7, 10, 50).is_near());
    }

    #[test]
    fn a_request_counts_as_long_as_it_lives() {
        let occupancy = Occupancy::default();
        assert_eq!(occupancy.get(), 0);
        let guards = [occupancy.enter(), occupancy.enter()];
        assert_eq!((occupancy.get(), occupancy.clone().get()), (2, 2));
        drop(guards);
        assert_eq!(occupancy.get(), 0);
    }
}
