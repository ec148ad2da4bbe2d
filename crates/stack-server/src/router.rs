//! The table of contents: every route and what answers it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use tower_http::catch_panic::CatchPanicLayer;

use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::origin::{HostName, Origin};
use crate::{Models, catalog, completions, embeddings, error, guard, health, observe};

/// Every route; the router is built from nothing else.
static ROUTES: [Route; 10] = [
    infers("/chat/completions", |post| on(post, completions::chat)),
    infers("/completions", |post| on(post, completions::plain)),
    infers("/embeddings", |post| on(post, embeddings::embed)),
    reads("/models", |get| on(get, catalog::list)),
    reads("/models/{*id}", |get| on(get, catalog::model)),
    reads("/health", |get| on(get, health::health)),
    reads("/live", |get| on(get, health::live)).unversioned(),
    reads("/ready", |get| on(get, health::ready)).unversioned(),
    reads("/metrics", |get| on(get, catalog::metrics)).unversioned(),
    reads("/openapi.json", |get| on(get, catalog::openapi)).unversioned(),
];

/// What an operator may choose about the handling of single requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The longest request body; a longer one is refused with 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// After how much silence a stream shows that it lives.
    pub ping_after: Duration,
    /// Names of this machine beside the loopback names, such as that of a reverse proxy: a loopback listener answers
    /// to them, and web pages from them may ask.
    pub host_names: Vec<HostName>,
    /// Origins whose web pages may use the routes that read or infer, beside those of this machine.
    pub origins: Vec<Origin>,
    /// Whether the only model answers whatever name a request asks for.
    pub any_model: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            body_timeout: Duration::from_mins(1),
            ping_after: Duration::from_secs(15),
            host_names: Vec::new(),
            origins: Vec::new(),
            any_model: false,
        }
    }
}

/// What all handlers share.
pub(crate) struct Server {
    pub(crate) models: Arc<Models>,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ids: Ids,
    pub(crate) routes: &'static [Route],
}

/// One method on one path.
pub(crate) struct Route {
    method: MethodFilter,
    path: &'static str,
    /// Whether it exists below `/v1` as well.
    versioned: bool,
    pages: Pages,
    answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>,
}

/// What web pages of other origins may do with a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Those that the operator lets in may use it.
    MayUse,
    /// None may use it, whatever their origin: it changes something.
    Refused,
}

/// A route that looks something up.
const fn reads(path: &'static str, answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>) -> Route {
    Route { method: MethodFilter::GET, path, versioned: true, pages: Pages::MayUse, answer }
}

/// A route that asks a model.
const fn infers(path: &'static str, answer: fn(MethodFilter) -> MethodRouter<Arc<Server>>) -> Route {
    Route { method: MethodFilter::POST, path, versioned: true, pages: Pages::MayUse, answer }
}

impl Route {
    /// Takes the route out of `/v1`, for what is no part of OpenAI's interface.
    const fn unversioned(self) -> Self {
        Self { versioned: false, ..self }
    }

    fn is_at(&self, pattern: &str) -> bool {
        let unversioned = pattern.strip_prefix("/v1").filter(|_| self.versioned);
        self.path == pattern || Some(self.path) == unversioned
    }
}

/// Tells what pages may do with `method` on the path that the router matched. What only leads to a 404 or a 405
/// changes nothing, so pages may see that answer; a path that is not in the table is closed to them.
pub(crate) fn pages(routes: &[Route], pattern: Option<&str>, method: Option<MethodFilter>) -> Pages {
    let Some(pattern) = pattern else { return Pages::MayUse };
    // The router answers HEAD where it answers GET.
    let method = method.map(|method| if method == MethodFilter::HEAD { MethodFilter::GET } else { method });
    let mut at_path = routes.iter().filter(|route| route.is_at(pattern)).peekable();
    if at_path.peek().is_none() {
        return Pages::Refused;
    }
    at_path.find(|route| Some(route.method) == method).map_or(Pages::MayUse, |route| route.pages)
}

/// Builds the routes over `models`, which may be filled later.
pub fn router(models: Arc<Models>, options: Options) -> Router {
    build(&ROUTES, models, options)
}

fn build(routes: &'static [Route], models: Arc<Models>, options: Options) -> Router {
    let server = Arc::new(Server { models, options, metrics: Arc::default(), ids: Ids::default(), routes });
    let mut router = Router::new();
    for Route { method, path, versioned, answer, .. } in routes {
        router = router.route(path, answer(*method));
        if *versioned {
            router = router.route(&format!("/v1{path}"), answer(*method));
        }
    }
    router
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), guard::guard))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), observe::observe))
        .with_state(server)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn a_path_that_the_table_lacks_is_closed_to_pages() {
        let get = MethodFilter::try_from(Method::GET).ok();
        let delete = MethodFilter::try_from(Method::DELETE).ok();
        assert_eq!(pages(&ROUTES, Some("/v1/models/{*id}"), get), Pages::MayUse);
        assert_eq!(pages(&ROUTES, Some("/models"), Some(MethodFilter::HEAD)), Pages::MayUse);
        assert_eq!(pages(&ROUTES, Some("/models"), delete), Pages::MayUse, "the answer is a 405");
        assert_eq!(pages(&ROUTES, None, delete), Pages::MayUse, "the answer is a 404");
        assert_eq!(pages(&ROUTES, Some("/v1/ready"), get), Pages::Refused);
        assert_eq!(pages(&ROUTES, Some("/v1"), get), Pages::Refused);
    }

    #[tokio::test]
    async fn a_route_that_changes_something_is_closed_to_pages_of_any_other_origin() {
        static CHANGING: [Route; 2] = [
            reads("/models/{*id}", |get| on(get, catalog::openapi)),
            Route {
                method: MethodFilter::DELETE,
                path: "/models/{*id}",
                versioned: true,
                pages: Pages::Refused,
                answer: |delete| on(delete, catalog::openapi),
            },
        ];
        let origins = vec!["https://app.example".parse().unwrap()];
        let router = build(&CHANGING, Arc::default(), Options { origins, ..Options::default() });
        let ask = |method: &str, origin: Option<&str>, wanted: Option<&str>| {
            let mut request =
                Request::builder().method(method).uri("/v1/models/m").header("host", "localhost:8084");
            for (name, value) in [("origin", origin), ("access-control-request-method", wanted)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let answer = router.clone().oneshot(request.body(Body::empty()).unwrap());
            async move {
                let answer = answer.await.unwrap();
                (answer.status(), answer.headers().contains_key("access-control-allow-origin"))
            }
        };
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://app.example"] {
            assert_eq!(ask("DELETE", Some(origin), None).await, (StatusCode::FORBIDDEN, false), "{origin}");
            assert_eq!(ask("OPTIONS", Some(origin), Some("DELETE")).await, (StatusCode::FORBIDDEN, false));
            assert_eq!(ask("GET", Some(origin), None).await, (StatusCode::OK, true), "{origin}");
            assert_eq!(ask("OPTIONS", Some(origin), Some("GET")).await, (StatusCode::NO_CONTENT, true));
        }
        assert_eq!(ask("DELETE", None, None).await, (StatusCode::OK, false), "a program is no page");
        assert_eq!(
            ask("DELETE", Some("http://localhost:8084"), None).await,
            (StatusCode::OK, false),
            "its own page"
        );
    }
}
