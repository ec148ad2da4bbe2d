//! Asking again where a server is busy: one rule for every request that is answered whole.
//!
//! Parts of large files have a plan of their own ([`crate::plan`]), which also shares a connection budget.

use std::thread;
use std::time::{Duration, Instant};

use super::{Fetch, FetchError, FetchErrorKind, Method, Request, Response};

/// A way to the network that asks again after 429, 502, 503 and 504, and after a connection that broke before it
/// answered. `Retry-After` is honoured up to a bound. What changes something on the server is asked once.
pub struct RetryFetch<'a> {
    fetch: &'a dyn Fetch,
}

impl<'a> RetryFetch<'a> {
    /// Makes a way to the network patient.
    pub fn new(fetch: &'a dyn Fetch) -> Self {
        Self { fetch }
    }
}

impl Fetch for RetryFetch<'_> {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let attempts = if matches!(request.method, Method::Get | Method::Head) { ATTEMPTS } else { 1 };
        let mut pause = FIRST_PAUSE;
        for _ in 1..attempts {
            let outcome = self.fetch.send(request);
            let asked = match &outcome {
                Ok(response) if is_busy(response.status) => seconds_asked(response),
                Err(error) if error.kind == FetchErrorKind::Broken => None,
                _ => return outcome,
            };
            let wait = asked.unwrap_or(pause);
            if wait > WAIT_MAX || !sleep(request, wait) {
                return outcome;
            }
            pause *= 2;
        }
        self.fetch.send(request)
    }
}

fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
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
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt where the server names none; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Whoever asks for a longer wait is not waited for.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// How soon a wait notices that it was ended.
const MOMENT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::fetch::Headers;
    use crate::url::Url;

    /// Answers with these statuses, the last one for ever.
    struct Busy(Mutex<Vec<u16>>);

    impl Fetch for Busy {
        fn send(&self, _: &Request) -> Result<Response, FetchError> {
            let mut left = self.0.lock().unwrap();
            let status = if left.len() > 1 { left.remove(0) } else { left[0] };
            let headers = Headers::new([("retry-after", &b"0"[..])]).unwrap();
            Ok(Response { status, headers, body: Box::new(io::empty()) })
        }
    }

    #[test]
    fn a_busy_server_is_asked_again_unless_that_changes_something() {
        let status = |statuses: &[u16], method| {
            let busy = Busy(Mutex::new(statuses.to_vec()));
            let request = Request::new(method, Url::parse("https://h.test/").unwrap());
            let status = RetryFetch::new(&busy).send(&request).unwrap().status;
            (status, busy.0.into_inner().unwrap().len())
        };
        assert_eq!(status(&[429, 503, 200], Method::Get), (200, 1));
        assert_eq!(status(&[502, 200], Method::Head), (200, 1));
        assert_eq!(status(&[404, 200], Method::Get).0, 404);
        assert_eq!(status(&[503; 9], Method::Get), (503, 5), "four attempts");
        assert_eq!(status(&[201, 503], Method::Post).0, 201);
    }
}
