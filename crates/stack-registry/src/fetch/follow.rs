//! Redirects, each hop asked for by name.

use std::io::Read;

use super::{Fetch, FetchError, FetchErrorKind, Hop, Request, Response};
use crate::url::Url;

/// Sends a request that changes nothing and follows redirects. Returns the last address and its reply.
///
/// Every hop is a request of its own, so that whoever implements [`Fetch`] may refuse it. Credentials stay behind as
/// soon as the origin changes, and do not come back.
///
/// # Errors
///
/// When a hop gets no reply, leads nowhere, or is the eleventh.
pub fn follow(fetch: &dyn Fetch, request: Request) -> Result<(Url, Response), FetchError> {
    let mut request = request;
    for _ in 0..HOPS_MAX {
        let response = fetch.send(&request)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok((request.url, response));
        }
        let nowhere = |problem: String| {
            FetchError::new(FetchErrorKind::Nonsense, request.url.origin().authority(), problem)
        };
        let location = response
            .headers
            .get("location")
            .ok_or_else(|| nowhere(format!("status {} without a usable location", response.status)))?;
        let next = request.url.join(location).map_err(|error| nowhere(error.to_string()))?;
        if next.origin() != request.url.origin() {
            request.authorization = None;
        }
        request.url = next;
        request.hop = Hop::Led;
    }
    Err(FetchError::new(
        FetchErrorKind::Nonsense,
        request.url.origin().authority(),
        format!("more than {HOPS_MAX} redirects"),
    ))
}

/// Reads a body of at most `max` bytes.
///
/// # Errors
///
/// When it has more, or breaks off.
pub fn read_body(url: &Url, response: Response, max: u64) -> Result<Vec<u8>, FetchError> {
    let host = url.origin().authority();
    let mut bytes = Vec::new();
    let read = response.body.take(max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| FetchError::reading(&host, error))?;
    if bytes.len() as u64 > max {
        return Err(FetchError::new(
            FetchErrorKind::Nonsense,
            host,
            format!("the response is longer than {max} bytes"),
        ));
    }
    Ok(bytes)
}

/// Redirects that are followed.
const HOPS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fetch::{Authorization, Headers, Method};

    /// Answers from a list and remembers what was asked.
    struct Script {
        replies: Mutex<Vec<(u16, &'static str)>>,
        asked: Mutex<Vec<(String, bool, Hop)>>,
    }

    impl Script {
        fn new(replies: &[(u16, &'static str)]) -> Self {
            let mut replies = replies.to_vec();
            replies.reverse();
            Self { replies: Mutex::new(replies), asked: Mutex::new(Vec::new()) }
        }
    }

    impl Fetch for Script {
        fn send(&self, request: &Request) -> Result<Response, FetchError> {
            let asked = (request.url.to_string(), request.authorization.is_some(), request.hop.clone());
            self.asked.lock().unwrap().push(asked);
            let (status, location) = self.replies.lock().unwrap().pop().unwrap_or((302, "/again"));
            let headers = Headers::new([("Location", location.as_bytes())]).unwrap();
            Ok(Response { status, headers, body: Box::new(&b"body"[..]) })
        }
    }

    fn request() -> Request {
        let url = Url::parse("https://hub.test/a").unwrap();
        Request::new(Method::Get, url).authorized(Some(Authorization::bearer("secret")))
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let script =
            Script::new(&[(302, "/b"), (307, "https://cdn.test/c"), (301, "https://hub.test/d"), (200, "")]);
        let (url, response) = follow(&script, request()).unwrap();
        assert_eq!((url.to_string().as_str(), response.status), ("https://hub.test/d", 200));
        let asked = script.asked.lock().unwrap();
        let credentials: Vec<_> = asked.iter().map(|(_, authorized, _)| *authorized).collect();
        assert_eq!(credentials, [true, true, false, false]);
        assert_eq!(asked[0].2, Hop::Asked);
        assert!(asked[1..].iter().all(|(_, _, hop)| *hop == Hop::Led));
    }

    #[test]
    fn endless_and_broken_redirects_end() {
        let error = follow(&Script::new(&[]), request()).unwrap_err();
        assert!(error.to_string().contains("more than 10 redirects"), "{error}");
        for location in ["", "ftp://x/", "https://a:b@c/"] {
            let script = Script::new(&[(302, location)]);
            let outcome = follow(&script, request());
            if location.is_empty() {
                // An empty reference is the same address again.
                assert!(outcome.is_err());
            } else {
                assert_eq!(outcome.unwrap_err().kind, FetchErrorKind::Nonsense, "{location}");
            }
        }
    }

    #[test]
    fn bodies_have_a_limit() {
        let reply = || Script::new(&[(200, "")]).send(&request()).unwrap();
        let url = request().url;
        assert_eq!(read_body(&url, reply(), 4).unwrap(), b"body");
        assert_eq!(read_body(&url, reply(), 3).unwrap_err().kind, FetchErrorKind::Nonsense);
    }
}
