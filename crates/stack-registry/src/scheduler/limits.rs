//! What a download allows itself.

use std::time::Duration;

use crate::random::Random;

/// The bounds of one download.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes asked for at once.
    pub part_bytes: u64,
    /// Connections to begin with.
    pub connections: usize,
    /// Connections at most; between the two, more are opened as long as each pays.
    pub connections_max: usize,
    /// A connection that brings fewer than `trickle_bytes` in this time has stalled.
    pub stall: Duration,
    /// See `stall`.
    pub trickle_bytes: u64,
    /// Failures in a row, without progress between them, after which a part gives up.
    pub tries: u32,
    /// The first wait after a failure is at most this long; each further one twice as long as the one before.
    pub wait_first: Duration,
    /// The longest wait that is not the server's wish.
    pub wait_max: Duration,
    /// The longest wait that a server may wish for.
    pub retry_after_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part_bytes: 64 << 20,
            connections: 4,
            connections_max: 8,
            stall: Duration::from_secs(30),
            trickle_bytes: 16 << 10,
            tries: 8,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(30),
            retry_after_max: Duration::from_mins(5),
        }
    }
}

/// The wait before another try: anything between nothing and a bound that doubles, so that clients that failed
/// together do not come back together.
pub(super) fn full_jitter(limits: &Limits, failures: u32, random: &mut Random) -> Duration {
    let doubled =
        limits.wait_first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(limits.wait_max).mul_f64(random.fraction())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_scatter() {
        let (limits, mut random) = (Limits::default(), Random::new(7));
        for failures in 1..=40 {
            let bound = limits.wait_first.mul_f64(2_f64.powi(failures as i32 - 1)).min(limits.wait_max);
            let waits: Vec<_> = (0..200).map(|_| full_jitter(&limits, failures, &mut random)).collect();
            assert!(waits.iter().all(|&wait| wait <= bound));
            assert!(
                waits.iter().any(|&wait| wait < bound / 4) && waits.iter().any(|&wait| wait > bound / 4 * 3)
            );
        }
    }
}
