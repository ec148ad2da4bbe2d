//! How much each key has taken in the last minute. A pure machine: what is taken and the time in, a decision out.
//!
//! Amounts are kept second by second. So the memory for a key is bounded whatever its limits are, and the decision is exact
//! on the safe side: in no stretch of a minute is more admitted than the limit, and what was taken is forgotten a minute
//! after the end of its second.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::grant::{Grant, RateLimits};

/// What the keys with limits have taken.
pub(crate) struct Rates {
    start: Instant,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    taken: HashMap<String, Taken>,
    /// When keys were last forgotten that have taken nothing for a minute.
    swept_s: u64,
}

/// What one key has taken.
#[derive(Default)]
struct Taken {
    requests: LastMinute,
    tokens: LastMinute,
}

/// Why a request has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// What there is no more of.
    pub(crate) what: &'static str,
    pub(crate) limit: NonZeroU32,
    /// Until there is some again.
    pub(crate) wait: Duration,
}

impl Rates {
    /// Begins at `start`, when nobody has taken anything.
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, keys: Mutex::default() }
    }

    /// Admits a request, and counts it, or says how long it has to wait.
    pub(crate) fn admit(&self, grant: &Grant, now: Instant) -> Result<(), Limited> {
        let RateLimits { requests, tokens } = grant.limits;
        if requests.is_none() && tokens.is_none() {
            return Ok(());
        }
        let (mut keys, now) = (self.lock(), self.at(now));
        keys.sweep(now.as_secs());
        let taken = keys.taken.entry(grant.key_id.clone()).or_default();
        let limits = [(requests, &mut taken.requests, "requests"), (tokens, &mut taken.tokens, "tokens")];
        let waits = limits.into_iter().filter_map(|(limit, last, what)| {
            let limit = limit?;
            last.forget(now.as_secs());
            Some(Limited { what, limit, wait: last.wait(limit, now)? })
        });
        if let Some(limited) = waits.max_by_key(|limited| limited.wait) {
            return Err(limited);
        }
        taken.requests.add(now.as_secs(), 1);
        Ok(())
    }

    /// Counts tokens that a request of the key has taken.
    pub(crate) fn charge(&self, grant: &Grant, tokens: u32, now: Instant) {
        if grant.limits.tokens.is_none() || tokens == 0 {
            return;
        }
        let now_s = self.at(now).as_secs();
        let mut keys = self.lock();
        let last = &mut keys.taken.entry(grant.key_id.clone()).or_default().tokens;
        last.forget(now_s);
        last.add(now_s, tokens.into());
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// Forgets keys that have taken nothing for a minute, once in a minute.
    fn sweep(&mut self, now_s: u64) {
        if now_s < self.swept_s + MINUTE_S {
            return;
        }
        self.swept_s = now_s;
        self.taken.retain(|_, taken| {
            let all = [&mut taken.requests, &mut taken.tokens];
            all.into_iter().any(|last| {
                last.forget(now_s);
                last.sum > 0
            })
        });
    }
}

/// Amounts of the last minute: each second in which there was any, in order.
#[derive(Debug, Default)]
struct LastMinute {
    seconds: VecDeque<(u64, u64)>,
    sum: u64,
}

impl LastMinute {
    fn add(&mut self, now_s: u64, amount: u64) {
        self.sum += amount;
        match self.seconds.back_mut() {
            // Threads may come in another order than the times that they have read.
            Some((second, sum)) if *second >= now_s => *sum += amount,
            _ => self.seconds.push_back((now_s, amount)),
        }
    }

    /// Forgets what is older than a minute, wherever in its second it was.
    fn forget(&mut self, now_s: u64) {
        while let Some(&(second, amount)) = self.seconds.front()
            && second + MINUTE_S < now_s
        {
            self.seconds.pop_front();
            self.sum -= amount;
        }
    }

    /// Returns how long it takes until there is less than `limit`; `None` if there is less now.
    fn wait(&self, limit: NonZeroU32, now: Duration) -> Option<Duration> {
        let mut excess = (self.sum + 1).checked_sub(u64::from(limit.get())).filter(|&excess| excess > 0)?;
        for &(second, amount) in &self.seconds {
            if amount >= excess {
                return Some(Duration::from_secs(second + MINUTE_S + 1).saturating_sub(now));
            }
            excess -= amount;
        }
        None
    }
}

/// Counts what the requests of one key take.
#[derive(Clone)]
pub(crate) struct Meter {
    rates: Arc<Rates>,
    grant: Arc<Grant>,
}

impl Meter {
    pub(crate) fn new(rates: &Arc<Rates>, grant: &Arc<Grant>) -> Self {
        Self { rates: Arc::clone(rates), grant: Arc::clone(grant) }
    }

    /// Counts tokens.
    pub(crate) fn charge(&self, tokens: u32) {
        self.rates.charge(&self.grant, tokens, Instant::now());
    }
}

const MINUTE_S: u64 = 60;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn grant(key_id: &str, requests: Option<u32>, tokens: Option<u32>) -> Grant {
        let limits = RateLimits {
            requests: requests.and_then(NonZeroU32::new),
            tokens: tokens.and_then(NonZeroU32::new),
        };
        Grant { key_id: key_id.to_owned(), limits, ..Grant::operator() }
    }

    fn rates() -> (Rates, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Rates::new(start), move |milliseconds| start + Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_key_gets_its_requests_and_then_waits_for_the_minute_to_pass() {
        let (rates, at) = rates();
        let key = grant("k", Some(2), None);
        assert_eq!(rates.admit(&key, at(500)), Ok(()));
        assert_eq!(rates.admit(&key, at(10_000)), Ok(()));
        let limited = rates.admit(&key, at(20_000)).unwrap_err();
        assert_eq!((limited.what, limited.limit.get()), ("requests", 2));
        assert_eq!(limited.wait, Duration::from_secs(41), "a minute after the end of its second");
        assert!(rates.admit(&key, at(60_999)).is_err());
        assert_eq!(rates.admit(&key, at(61_000)), Ok(()));
        assert!(rates.admit(&key, at(61_000)).is_err(), "the second one still counts");
        assert_eq!(rates.admit(&grant("other", Some(1), None), at(61_000)), Ok(()));
        assert!((0..100).all(|_| rates.admit(&grant("free", None, None), at(61_000)).is_ok()));
    }

    #[test]
    fn tokens_count_when_they_are_taken() {
        let (rates, at) = rates();
        let key = grant("k", Some(100), Some(10));
        assert_eq!(rates.admit(&key, at(0)), Ok(()));
        rates.charge(&key, 9, at(0));
        assert_eq!(rates.admit(&key, at(1000)), Ok(()), "one is left");
        rates.charge(&key, 30, at(5000));
        let limited = rates.admit(&key, at(5000)).unwrap_err();
        assert_eq!((limited.what, limited.wait), ("tokens", Duration::from_secs(61)));
        assert_eq!(rates.admit(&key, at(66_000)), Ok(()));
        rates.charge(&grant("free", Some(1), None), 7, at(66_000));
        assert_eq!(rates.lock().taken.len(), 1, "tokens without a limit are not counted");
    }

    #[test]
    fn a_refused_request_takes_nothing() {
        let (rates, at) = rates();
        let key = grant("k", Some(1), None);
        assert_eq!(rates.admit(&key, at(0)), Ok(()));
        assert!((1..61).all(|second| rates.admit(&key, at(second * 1000)).is_err()));
        assert_eq!(rates.admit(&key, at(61_000)), Ok(()));
    }

    #[test]
    fn sixty_four_clients_get_exactly_what_there_is() {
        let (rates, at) = rates();
        let key = grant("k", Some(1000), Some(1_000_000));
        let admitted = AtomicU32::new(0);
        thread::scope(|scope| {
            for client in 0..64 {
                let (rates, key, admitted, at) = (&rates, &key, &admitted, &at);
                scope.spawn(move || {
                    for step in 0..50 {
                        if rates.admit(key, at(client + step * 100)).is_ok() {
                            admitted.fetch_add(1, Ordering::Relaxed);
                            rates.charge(key, 3, at(client + step * 100));
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1000);
        assert_eq!(rates.lock().taken["k"].tokens.sum, 3000, "no token was lost");
    }

    #[test]
    fn keys_that_take_nothing_are_forgotten() {
        let (rates, at) = rates();
        for number in 0..10_000 {
            rates.admit(&grant(&number.to_string(), Some(5), None), at(0)).unwrap();
        }
        rates.admit(&grant("last", Some(5), None), at(200_000)).unwrap();
        assert_eq!(rates.lock().taken.len(), 1);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_the_limit_and_who_waits_gets_in(
            gaps in prop::collection::vec(0..9000_u64, 1..120),
            limit in 1..8_u32,
        ) {
            let (rates, at) = rates();
            let key = grant("k", Some(limit), None);
            let (mut now, mut admitted) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                match rates.admit(&key, at(now)) {
                    Ok(()) => admitted.push(now),
                    Err(Limited { wait, .. }) => {
                        prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(61));
                        now += u64::try_from(wait.as_millis()).unwrap();
                        prop_assert_eq!(rates.admit(&key, at(now)), Ok(()), "it was told when");
                        admitted.push(now);
                    }
                }
                let last_minute = admitted.iter().filter(|&&then| then + 60_000 > now).count();
                prop_assert!(last_minute <= limit as usize);
            }
        }
    }
}
