//! Decides which web pages may ask, and then lets [`auth`] decide who.
//!
//! A page in a browser can send requests to any address, also to a server on the same machine that trusts everything
//! local. Even if it cannot read the answers it could make the machine work; and if its own name is made to resolve to
//! 127.0.0.1 it could read them, too. A browser tells in `Origin` who asks and in `Host` whom it thinks it asks, so
//! both are looked at. Other clients send no `Origin`.
//!
//! Pages of this machine, and those of the origins that the operator names, may use the routes that are open to pages
//! and see their answers, errors included. All others are refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodFilter;

use crate::error::ApiError;
use crate::origin::{is_page_of_this_machine, names_this_machine};
use crate::route::{Access, Pages, Route, terms_of};
use crate::server::Server;
use crate::terms::Terms;
use crate::waits::Waits;
use crate::{Options, auth, body, cors};

/// What the guard decides by.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) routes: &'static [Route],
    pub(crate) server: Arc<Server>,
}

/// The address that a request came in through. [`crate::serve`] attaches it.
#[derive(Clone, Copy)]
pub(crate) struct Bound(pub(crate) SocketAddr);

/// Refuses whom [`caller`] refuses, keeps pages from routes that are not open to them, answers preflights, which have no
/// keys, and lets pages see the answers, those to requests without a valid key included.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let loopback =
        request.extensions().get::<Bound>().is_some_and(|Bound(address)| address.ip().is_loopback());
    let caller = match caller(request.headers(), loopback, &guard.server.options) {
        Ok(caller) => caller,
        Err(message) => return ApiError::ForbiddenPage(message).into_response(),
    };
    let preflight = cors::preflight_method(&request);
    let method = preflight.as_ref().unwrap_or(request.method()).clone();
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (pages, access) = terms_of(guard.routes, path, MethodFilter::try_from(method).ok());
    match pages {
        Pages::Refused if !caller.is_own => {
            ApiError::ForbiddenPage("web pages of other origins cannot use this route").into_response()
        }
        Pages::Refused => run(&guard.server, access, request, next).await,
        Pages::MayUse => {
            if let (Some(_), Some(origin)) = (preflight, &caller.shared_with) {
                return cors::preflight(request.headers(), origin);
            }
            let mut response = run(&guard.server, access, request, next).await;
            cors::share(response.headers_mut(), caller.shared_with.as_ref());
            response
        }
    }
}

/// Answers a request if it may be answered.
async fn run(server: &Server, access: Access, mut request: Request, next: Next) -> Response {
    match auth::admit(server, access, request.headers()).await {
        Ok(grant) => {
            let waits = request.extensions().get::<Waits>().cloned();
            let waits = waits.unwrap_or_else(|| Waits::new(Terms::default(), Instant::now()));
            request.extensions_mut().insert(waits.granted(grant));
            next.run(request).await
        }
        Err(error) => {
            let drained = body::discard(request.into_body(), REFUSED_BYTES_MAX);
            let _in_time = tokio::time::timeout(server.options.body_timeout, drained).await;
            error.into_response()
        }
    }
}

/// So much is read of what is refused: most clients look at the response only once they have sent everything.
const REFUSED_BYTES_MAX: usize = 4 << 20;

/// Who asks.
#[derive(Debug, PartialEq, Eq)]
struct Caller {
    /// Whether it is no page, or a page of the very host that it asks.
    is_own: bool,
    /// The origin whose pages may see the answer.
    shared_with: Option<HeaderValue>,
}

/// Decides by the headers: `Host` must name this machine if the listener is on `loopback`, and `Origin`, where there
/// is one, this machine, the same host, or an origin that the operator lets in.
fn caller(headers: &HeaderMap, loopback: bool, options: &Options) -> Result<Caller, &'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST);
    let is_named = |authority: &str| options.host_names.iter().any(|name| name.is_of(authority));
    let is_ours = |authority: &str| names_this_machine(authority) || is_named(authority);
    if loopback && headers.contains_key(header::HOST) && !host.is_some_and(is_ours) {
        return Err("the Host header does not match this server; \
                    start the server with `--host-name NAME` if it stands behind a proxy of that name");
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(Caller { is_own: true, shared_with: None }) };
    let refused = "requests from web pages of other origins are refused; \
                   start the server with `--cors ORIGIN` to let the pages of an origin in";
    let (Ok(sent), None) = (origin.to_str(), origins.next()) else { return Err(refused) };
    let Some((_scheme, authority)) = sent.split_once("://") else { return Err(refused) };
    let is_own = Some(authority) == host;
    if is_page_of_this_machine(sent) || options.origins.iter().any(|origin| origin.is(sent)) {
        return Ok(Caller { is_own, shared_with: Some(origin.clone()) });
    }
    if is_own || is_named(authority) { Ok(Caller { is_own, shared_with: None }) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(host: &'static str, origin: Option<&'static str>, loopback: bool) -> Result<Caller, &'static str> {
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
        let options = Options {
            host_names: vec!["proxy.example".parse().unwrap()],
            origins: vec!["https://app.example".parse().unwrap()],
            ..Options::default()
        };
        caller(&headers, loopback, &options)
    }

    fn passes(host: &'static str, origin: Option<&'static str>, loopback: bool) -> bool {
        ask(host, origin, loopback).is_ok()
    }

    #[test]
    fn programs_on_this_machine_pass() {
        for host in
            ["localhost:8084", "LOCALHOST", "127.0.0.1:8084", "127.9.9.9", "[::1]:8084", "proxy.example"]
        {
            assert!(passes(host, None, true), "{host}");
            assert!(passes(host, Some("http://localhost:3000"), true), "{host}");
        }
        assert!(caller(&HeaderMap::new(), true, &Options::default()).is_ok(), "HTTP/1.0 knows no Host");
    }

    #[test]
    fn a_rebound_name_is_refused_on_loopback_only() {
        for host in [
            "evil.example:8084",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost:80.evil.example",
            "",
            "[::1",
            "192.168.0.1",
        ] {
            assert!(!passes(host, None, true), "{host}");
            assert!(passes(host, None, false), "{host}");
        }
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_bytes(b"\xff").unwrap())]);
        assert!(caller(&headers, true, &Options::default()).is_err());
    }

    #[test]
    fn pages_of_other_origins_are_refused_everywhere() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "https://localhost.evil.example",
            "file://",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
        ] {
            assert!(!passes("localhost:8084", Some(origin), true), "{origin}");
            assert!(!passes("stack.example", Some(origin), false), "{origin}");
        }
        let two = ["http://localhost", "https://evil.example"].map(HeaderValue::from_static);
        let headers = HeaderMap::from_iter(two.map(|origin| (header::ORIGIN, origin)));
        assert!(caller(&headers, true, &Options::default()).is_err());
    }

    #[test]
    fn only_pages_that_are_let_in_see_answers_and_only_those_of_the_same_host_are_its_own() {
        for (host, origin, is_own, shared) in [
            ("localhost:8084", "http://localhost:3000", false, true),
            ("localhost:8084", "http://127.0.0.1:8084", false, true),
            ("localhost:8084", "http://localhost:8084", true, true),
            ("localhost:8084", "https://app.example", false, true),
            ("localhost:8084", "https://proxy.example", false, false),
            ("proxy.example", "https://proxy.example", true, false),
        ] {
            let caller = ask(host, Some(origin), true).expect(origin);
            assert_eq!((caller.is_own, caller.shared_with.is_some()), (is_own, shared), "{origin}");
        }
    }
}
