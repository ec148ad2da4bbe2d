//! What happens to every request: it gets an identifier and is counted.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::metrics::Metrics;
use crate::server::Server;

/// Counts the request, and names it in the response: by the caller's own `x-request-id`, else by a new one.
pub(crate) async fn observe(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let mut tally =
        Tally { metrics: Arc::clone(&server.metrics), route: route.to_owned(), status: ABANDONED };
    let given = request.headers().get(&REQUEST_ID).filter(|id| id.len() <= ID_BYTES_MAX).cloned();
    let mut response = next.run(request).await;
    tally.status = response.status().as_u16();
    let id = given.or_else(|| HeaderValue::try_from(server.ids.next()).ok());
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
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
const ID_BYTES_MAX: usize = 128;
