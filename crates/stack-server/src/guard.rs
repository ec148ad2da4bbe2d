//! Keeps foreign web pages out.
//!
//! A page in a browser can send requests to any address, also to a server on the same machine that trusts everything
//! local. It cannot read the answers, as no CORS header allows it, but it could make the machine work; and if its own
//! name is made to resolve to 127.0.0.1 it could read them too. A browser tells in `Origin` who asks and in `Host` whom
//! it thinks it asks, so both are looked at. Other clients send no `Origin`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use stack_wire::openai::ErrorObject;

use crate::error::ApiError;
use crate::router::Server;

/// The address that a request came in through. [`crate::serve`] attaches it.
#[derive(Clone, Copy)]
pub(crate) struct Bound(pub(crate) SocketAddr);

/// Refuses what [`verdict`] refuses.
pub(crate) async fn guard(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let loopback =
        request.extensions().get::<Bound>().is_some_and(|Bound(address)| address.ip().is_loopback());
    match verdict(request.headers(), loopback, &server.options.hosts) {
        Ok(()) => Ok(next.run(request).await),
        Err(message) => {
            Err(ErrorObject::new(403, "permission_error", Some("forbidden_origin"), message).into())
        }
    }
}

/// Decides by the headers: `Host` must name this machine if the listener is on `loopback`, and `Origin`, where there
/// is one, this machine or the same host. The names in `hosts` count as this machine.
fn verdict(headers: &HeaderMap, loopback: bool, hosts: &[String]) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST);
    let ours = |authority| is_local(authority) || hosts.iter().any(|name| name == name_of(authority));
    if loopback && host.is_some_and(|host| !ours(host)) {
        return Err("the Host header names another machine than this listener serves");
    }
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = text(header::ORIGIN).and_then(|origin| Some(origin.split_once("://")?.1));
    match origin {
        Some(origin) if ours(origin) || Some(origin) == host => Ok(()),
        _ => Err("requests from web pages of other origins are refused"),
    }
}

fn is_local(authority: &str) -> bool {
    let name = name_of(authority);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Cuts the port off, and the brackets of an IPv6 address.
fn name_of(authority: &str) -> &str {
    if let Some((address, _port)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    authority.split_once(':').map_or(authority, |(name, _port)| name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn passes(host: &'static str, origin: Option<&'static str>, loopback: bool) -> bool {
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
        verdict(&headers, loopback, &["proxy.example".to_owned()]).is_ok()
    }

    #[test]
    fn programs_on_this_machine_pass() {
        for host in ["localhost:8084", "127.0.0.1:8084", "127.9.9.9", "[::1]:8084", "proxy.example"] {
            assert!(passes(host, None, true), "{host}");
            assert!(passes(host, Some("http://localhost:3000"), true), "{host}");
        }
        assert!(verdict(&HeaderMap::new(), true, &[]).is_ok(), "HTTP/1.0 knows no Host");
    }

    #[test]
    fn a_rebound_name_is_refused_on_loopback_only() {
        for host in [
            "evil.example:8084",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[::1",
            "192.168.0.1",
        ] {
            assert!(!passes(host, None, true), "{host}");
            assert!(passes(host, None, false), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused_everywhere() {
        for origin in ["https://evil.example", "null", "https://localhost.evil.example", "file://"] {
            assert!(!passes("localhost:8084", Some(origin), true), "{origin}");
            assert!(!passes("stack.example", Some(origin), false), "{origin}");
        }
        assert!(passes("stack.example", Some("https://stack.example"), false));
        assert!(passes("stack.example", Some("https://proxy.example"), false));
    }
}
