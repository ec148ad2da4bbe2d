//! The table of contents: every route and what answers it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::{Models, catalog, completions, embeddings, error, guard, health, observe};

/// What an operator may choose about the handling of single requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The longest request body; a longer one is refused with 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// After how much silence a stream shows that it lives.
    pub ping_after: Duration,
    /// Names of this machine, beside the loopback names: a loopback listener answers to them, and web pages from them
    /// may ask.
    pub hosts: Vec<String>,
    /// Whether the only model answers whatever name a request asks for.
    pub any_model: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            body_timeout: Duration::from_mins(1),
            ping_after: Duration::from_secs(15),
            hosts: Vec::new(),
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
}

/// Builds the routes over `models`, which may be filled later.
pub fn router(models: Arc<Models>, options: Options) -> Router {
    let server = Arc::new(Server { models, options, metrics: Arc::default(), ids: Ids::default() });
    let api = Router::new()
        .route("/chat/completions", post(completions::chat))
        .route("/completions", post(completions::plain))
        .route("/embeddings", post(embeddings::embed))
        .route("/models", get(catalog::list))
        .route("/models/{*id}", get(catalog::model))
        .route("/health", get(health::health));
    Router::new()
        .merge(api.clone())
        .nest("/v1", api)
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/metrics", get(catalog::metrics))
        .route("/openapi.json", get(catalog::openapi))
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), guard::guard))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), observe::observe))
        .with_state(server)
}
