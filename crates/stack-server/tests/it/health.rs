//! What supervisors are told.

use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use serde_json::json;
use stack_server::{Models, Options, router};
use stack_testkit::ScriptedModel;

use crate::support::{embedder, get, registry, send};

/// Asks the three routes; returns the statuses of live, health and ready.
async fn statuses(router: &Router) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, path) in statuses.iter_mut().zip(["/live", "/health", "/ready"]) {
        *status = get(router, path).await.status.as_u16();
    }
    statuses
}

#[tokio::test]
async fn health_waits_for_the_models_named_at_start_and_for_no_later_one() {
    let models = Arc::new(Models::starting(["first", "second"]));
    let router = router(Arc::clone(&models), Options::default());
    assert_eq!(statuses(&router).await, [200, 503, 503]);
    models.ready(embedder("first"));
    assert_eq!(statuses(&router).await, [200, 503, 200]);
    models.failed("second");
    assert_eq!(statuses(&router).await, [200, 200, 200]);
    for later in ["third", "second", "first"] {
        models.loading(later);
        assert_eq!(get(&router, "/health").await.status, 200, "{later}");
    }
    assert_eq!(statuses(&router).await, [200, 200, 503]);
}

#[tokio::test]
async fn a_start_at_which_every_model_failed_is_over_but_not_ready() {
    let models = Arc::new(Models::starting(["only"]));
    let router = router(Arc::clone(&models), Options::default());
    models.failed("only");
    assert_eq!(statuses(&router).await, [200, 200, 503]);
}

#[tokio::test]
async fn the_bodies_are_those_of_llama_server() {
    let router = router(Arc::new(Models::starting(["m"])), Options::default());
    assert_eq!(get(&router, "/live").await.json(), json!({"status": "ok"}));
    for path in ["/health", "/v1/health"] {
        let reply = get(&router, path).await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.error("message"), "Loading model");
        assert_eq!(reply.error("type"), "unavailable_error");
        assert!(!reply.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn health_can_be_asked_for_its_head_alone() {
    let router = router(registry(&Arc::new(ScriptedModel::new("m", &[]))), Options::default());
    for path in ["/live", "/health", "/v1/health", "/ready"] {
        let reply = send(&router, Request::head(path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ""), "{path}");
    }
}
