//! What browsers must be told before a page of another origin may ask and see the answer.
//!
//! A page may use a route where the [`guard`](crate::guard) lets its origin in. Which headers it sends is then its own
//! business, as none of them decides anything here, so a preflight allows the ones that it asks about: client
//! libraries send many (`x-stainless-*`), and a list of them would be out of date. Credentials are never allowed.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

/// Returns the method that a preflight asks about, or `None` for any other request.
pub(crate) fn preflight_method(request: &Request<Body>) -> Option<Method> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(header::ORIGIN) {
        return None;
    }
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(wanted.as_bytes()).ok()
}

/// Answers a preflight from a page that may use the route.
pub(crate) fn preflight(asked: &HeaderMap, origin: &HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    share(headers, Some(origin));
    let usual = HeaderValue::from_static("authorization, content-type");
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.cloned().unwrap_or(usual));
    if let Some(method) = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    }
    // A page from the public network that asks a machine of a private one needs this, too.
    for (request, response) in [(PRIVATE_REQUEST, PRIVATE_ALLOW), (LOCAL_REQUEST, LOCAL_ALLOW)] {
        if asked.get(request).is_some_and(|wanted| wanted == "true") {
            headers.insert(response, HeaderValue::from_static("true"));
        }
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_S));
    headers.append(header::VARY, HeaderValue::from_static(PREFLIGHT_VARY));
    response
}

/// Lets a page of `origin` see the response. Caches learn in any case that the answer depends on who asks.
pub(crate) fn share(headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// What pages may see beside the headers that every page sees.
const EXPOSED: &str = "request-id, retry-after, x-request-id, x-stack-attempts, x-stack-ignored, x-stack-overhead-us, x-stack-route, x-stack-tier";
/// How long a browser may remember a preflight.
const MAX_AGE_S: &str = "600";
const PREFLIGHT_VARY: &str = "access-control-request-method, access-control-request-headers, \
                              access-control-request-private-network, access-control-request-local-network";
const PRIVATE_REQUEST: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_ALLOW: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const LOCAL_REQUEST: HeaderName = HeaderName::from_static("access-control-request-local-network");
const LOCAL_ALLOW: HeaderName = HeaderName::from_static("access-control-allow-local-network");
