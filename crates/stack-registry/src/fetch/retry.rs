//! Asking again: one rule for every request that is answered whole.
//!
//! ```text
//! 429, 503                              the server has not taken it: again, whatever it was
//! 502, 504, a connection that broke     again, where that does no harm
//! Retry-After                           so long at least, up to a bound
//! otherwise                             a wait that doubles, half of it by chance
//! all waits of a command together       up to a bound
//! ```
//!
//! Parts of large files have a plan of their own ([`crate::scheduler`]), which also shares a connection budget.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Fetch, FetchError, FetchErrorKind, Request, Response, Retry};
use crate::random::Random;

/// A way to the network that asks again.
pub struct RetryFetch<'a> {
    fetch: &'a dyn Fetch,
    policy: Mutex<RetryPolicy>,
}

/// Decides how long to wait before another attempt, if there is to be one.
#[derive(Debug)]
struct RetryPolicy {
    random: Random,
    /// What all waits together may still take.
    left: Duration,
}

impl<'a> RetryFetch<'a> {
    /// Makes a way to the network patient. `seed` scatters the waits.
    pub fn new(fetch: &'a dyn Fetch, seed: u64) -> Self {
        Self { fetch, policy: Mutex::new(RetryPolicy { random: Random::new(seed), left: WAIT_ALL_MAX }) }
    }

    fn wait_after(&self, failures: u32, asked: Option<Duration>) -> Option<Duration> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).wait_after(failures, asked)
    }
}

impl Fetch for RetryFetch<'_> {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let mut failures = 0;
        loop {
            let outcome = self.fetch.send(request);
            let asked = match &outcome {
                Ok(response) if has_not_taken(response.status) => seconds_asked(response),
                Ok(response) if is_between(response.status) && request.retry == Retry::Safe => {
                    seconds_asked(response)
                }
                // Where nobody answers, whoever waits wants to know.
                Err(error) if error.kind == FetchErrorKind::Broken && request.retry == Retry::Safe => None,
                _ => return outcome,
            };
            failures += 1;
            let Some(wait) = self.wait_after(failures, asked) else { return outcome };
            if !sleep(request, wait) {
                return outcome;
            }
        }
    }
}

impl RetryPolicy {
    /// The wait after so many failures in a row, where the server asked for one or not. Whoever asks for more than is
    /// left is not waited for.
    fn wait_after(&mut self, failures: u32, asked: Option<Duration>) -> Option<Duration> {
        if failures >= ATTEMPTS {
            return None;
        }
        // Those who were sent away together must not come back together.
        let chance = self.random.fraction();
        let doubled = FIRST_PAUSE * 2_u32.pow(failures - 1);
        let pause = asked.map_or_else(
            || doubled.mul_f64(0.5 + chance / 2.0),
            |asked| asked + asked.mul_f64(chance / 10.0),
        );
        let fits = asked.is_none_or(|asked| asked <= WAIT_MAX) && pause <= self.left;
        fits.then(|| {
            self.left -= pause;
            pause
        })
    }
}

/// Whether the server says that it has not looked at the request.
fn has_not_taken(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// Whether somebody between answers for the server, which may have done what was asked.
fn is_between(status: u16) -> bool {
    matches!(status, 502 | 504)
}

/// The seconds of `Retry-After`. A date is as good as nothing.
fn seconds_asked(response: &Response) -> Option<Duration> {
    response.headers.get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// Waits, and returns whether nobody has ended it meanwhile.
fn sleep(request: &Request, wait: Duration) -> bool {
    let end = Instant::now() + wait;
    while !request.cancel.is_cancelled() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(MOMENT));
    }
    false
}

/// How often one request is sent in all.
const ATTEMPTS: u32 = 5;
/// The longest wait before the second attempt where the server names none; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Whoever asks for a longer wait is not waited for.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// What all waits of one command may take.
const WAIT_ALL_MAX: Duration = Duration::from_mins(5);
/// How soon a wait notices that it was ended.
const MOMENT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::fetch::{Headers, Method};
    use crate::url::Url;

    /// Answers with these statuses, the last one for ever; 0 is a connection that breaks.
    struct Busy(Mutex<Vec<u16>>);

    impl Fetch for Busy {
        fn send(&self, _: &Request) -> Result<Response, FetchError> {
            let mut left = self.0.lock().unwrap();
            let status = if left.len() > 1 { left.remove(0) } else { left[0] };
            if status == 0 {
                return Err(FetchError::new(FetchErrorKind::Broken, "h.test", "the connection broke"));
            }
            let headers = Headers::new([("retry-after", &b"0"[..])]).unwrap();
            Ok(Response { status, headers, body: Box::new(io::empty()) })
        }
    }

    fn outcome(statuses: &[u16], request: &Request) -> (u16, usize) {
        let busy = Busy(Mutex::new(statuses.to_vec()));
        let status = RetryFetch::new(&busy, 1).send(request).map_or(0, |response| response.status);
        (status, busy.0.into_inner().unwrap().len())
    }

    #[test]
    fn a_busy_server_is_asked_again() {
        let asked = |statuses: &[u16], method| {
            outcome(statuses, &Request::new(method, Url::parse("https://h.test/").unwrap()))
        };
        assert_eq!(asked(&[429, 503, 200], Method::Get), (200, 1));
        assert_eq!(asked(&[502, 200], Method::Head), (200, 1));
        assert_eq!(asked(&[0, 504, 200], Method::Get), (200, 1));
        assert_eq!(asked(&[404, 200], Method::Get).0, 404);
        assert_eq!(asked(&[503; 9], Method::Get), (503, 4), "five attempts");
        for method in [Method::Post, Method::Put, Method::Patch] {
            assert_eq!(asked(&[429, 503, 201], method), (201, 1), "not taken, so nothing was done");
            assert_eq!(asked(&[502, 201], method), (502, 1), "it may have been done");
            assert_eq!(asked(&[0, 201], method), (0, 1), "it may have been done");
        }
    }

    #[test]
    fn what_may_be_done_twice_is_asked_again() {
        let mut request = Request::new(Method::Put, Url::parse("https://h.test/").unwrap());
        request.retry = Retry::Safe;
        assert_eq!(outcome(&[502, 0, 201], &request), (201, 1));
    }

    #[test]
    fn waits_grow_scatter_and_end() {
        let policy = |seed| RetryPolicy { random: Random::new(seed), left: WAIT_ALL_MAX };
        let firsts: Vec<_> = (0..100).map(|seed| policy(seed * 7919).wait_after(1, None).unwrap()).collect();
        assert!(firsts.iter().all(|wait| (FIRST_PAUSE / 2..=FIRST_PAUSE).contains(wait)), "{firsts:?}");
        assert!(firsts.iter().max() > firsts.iter().min());
        let third = policy(1).wait_after(3, None).unwrap();
        assert!(third >= FIRST_PAUSE * 2, "{third:?}");
        let asked = policy(1).wait_after(1, Some(Duration::from_secs(10))).unwrap();
        assert!((10.0..=11.0).contains(&asked.as_secs_f64()), "{asked:?}");
        assert_eq!(policy(1).wait_after(1, Some(Duration::from_secs(61))), None, "too long");
        assert_eq!(policy(1).wait_after(ATTEMPTS, None), None);
        let mut patient = policy(1);
        let waits = (0..100).filter_map(|_| patient.wait_after(1, Some(Duration::from_secs(50)))).count();
        assert_eq!(waits, 5, "all waits together have a limit");
    }
}
