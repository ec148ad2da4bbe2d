//! What happens to every request: it gets an identifier, is counted, and an error gets the shape of its dialect.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stack_chat::LineageRecord;
use stack_wire::Problem;

use crate::dialect::Dialect;
use crate::error::{ApiError, json};
use crate::metrics::Metrics;
use crate::server::Server;
use crate::terms::Terms;
use crate::waits::Waits;

/// Counts the request, and names it in the response: by the caller's own `x-request-id`, else by a new one. Also tells
/// how much of the time until the response began was ours.
pub(crate) async fn observe(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let since = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let mut tally =
        Tally { metrics: Arc::clone(&server.metrics), route: route.to_owned(), status: ABANDONED };
    let given = request.headers().get(&REQUEST_ID).filter(|id| id.len() <= ID_BYTES_MAX).cloned();
    let id = given.or_else(|| HeaderValue::try_from(server.ids.next()).ok());
    let dialect = Dialect::of(request.uri().path(), request.headers(), &server.options);
    let name = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
    request.extensions_mut().insert(RequestId(name.to_owned()));
    let terms = Terms::read(request.headers());
    let waits = Waits::new(terms.clone().unwrap_or_default(), since).named(name);
    let mut response = match terms {
        Ok(_) => {
            request.extensions_mut().insert(waits.clone());
            next.run(request).await
        }
        Err(failure) => ApiError::from(failure).into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        shape(&mut response, dialect, &problem, id.as_ref());
    }
    tally.status = response.status().as_u16();
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(dialect.request_id(), id);
    }
    let ours = since.elapsed().saturating_sub(waits.total()).as_micros();
    routed(headers, waits.record());
    headers.insert(OVERHEAD, HeaderValue::from(u64::try_from(ours).unwrap_or(u64::MAX)));
    response
}

/// Tells who answered, and what was tried.
fn routed(headers: &mut HeaderMap, record: &LineageRecord) {
    let lineage = record.read();
    let text = |value: String| HeaderValue::try_from(value).ok();
    let route = lineage.answerer.as_ref().and_then(|answerer| text(answerer.route()));
    let attempts = (!lineage.attempts.is_empty()).then(|| HeaderValue::from(lineage.attempts.len()));
    let tier = lineage.tier.map(|tier| HeaderValue::from_static(tier.name()));
    for (name, value) in [(ROUTE, route), (TIER, tier), (ATTEMPTS, attempts)] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}

/// What names a request, in its response and in the record of its answer.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Fills the response to an error, which knows no dialect until here.
fn shape(response: &mut Response, dialect: Dialect, problem: &Problem, id: Option<&HeaderValue>) {
    let (status, body) = dialect.render(problem, id.and_then(|id| id.to_str().ok()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let filled = json(body);
    let kind = filled.headers().get(header::CONTENT_TYPE).cloned();
    response.headers_mut().extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
    *response.body_mut() = filled.into_body();
}

/// Counts a request when it is dropped, so that one whose client left before the answer is counted too.
struct Tally {
    metrics: Arc<Metrics>,
    route: String,
    status: u16,
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.metrics.request(std::mem::take(&mut self.route), self.status);
    }
}

/// The status under which requests are counted whose client left first; nginx uses the same number.
const ABANDONED: u16 = 499;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const OVERHEAD: HeaderName = HeaderName::from_static("x-stack-overhead-us");
const ROUTE: HeaderName = HeaderName::from_static("x-stack-route");
const TIER: HeaderName = HeaderName::from_static("x-stack-tier");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-stack-attempts");
const ID_BYTES_MAX: usize = 128;
