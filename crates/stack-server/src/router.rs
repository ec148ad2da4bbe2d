//! The table of contents: every route and what answers it.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::on;
use tower_http::catch_panic::CatchPanicLayer;

use crate::guard::Guard;
use crate::route::{Route, changes, deletes, infers, reads};
use crate::routes::{
    completions, control, embeddings, health, llama_server, messages, metrics, models, native, ollama,
    openapi, rerank, residency, responses, stored,
};
use crate::server::Server;
use crate::{Models, Options, error, guard, observe};

/// Every route; the router is built from nothing else.
static ROUTES: &[Route] = &[
    infers("/chat/completions", |post| on(post, completions::chat)),
    infers("/completions", |post| on(post, completions::plain)),
    infers("/responses", |post| on(post, responses::create)),
    infers("/responses/input_tokens", |post| on(post, responses::input_tokens)),
    reads("/responses/{id}", |get| on(get, stored::retrieve)).for_asking(),
    reads("/responses/{id}/input_items", |get| on(get, stored::input_items)).for_asking(),
    deletes("/responses/{id}", |delete| on(delete, stored::delete)).for_asking(),
    changes("/responses/{id}/cancel", |post| on(post, stored::cancel)).for_asking(),
    infers("/messages", |post| on(post, messages::create)),
    infers("/messages/count_tokens", |post| on(post, messages::count_tokens)),
    infers("/embeddings", |post| on(post, embeddings::embed)),
    infers("/rerank", |post| on(post, rerank::rank)),
    infers("/reranking", |post| on(post, rerank::rank)),
    reads("/models", |get| on(get, models::list)).for_callers(),
    reads("/models/{*id}", |get| on(get, models::model)).for_callers(),
    changes("/models/load", |post| on(post, residency::load)),
    changes("/models/unload", |post| on(post, residency::unload)),
    infers("/api/chat", |post| on(post, ollama::chat)).unversioned(),
    infers("/api/generate", |post| on(post, ollama::generate)).unversioned(),
    infers("/api/embed", |post| on(post, ollama::embed)).unversioned(),
    infers("/api/embeddings", |post| on(post, ollama::embed_one)).unversioned(),
    infers("/api/show", |post| on(post, ollama::show)).unversioned(),
    reads("/api/tags", |get| on(get, ollama::tags)).unversioned().for_callers(),
    reads("/api/ps", |get| on(get, ollama::running)).unversioned().for_callers(),
    reads("/api/version", |get| on(get, ollama::version)).unversioned().for_any_key(),
    reads("/", |get| on(get, ollama::root)).unversioned().for_any_key(),
    infers("/api/v1/chat", |post| on(post, native::chat)).unversioned(),
    infers("/api/v1/chat/stream", |post| on(post, native::chat_stream)).unversioned(),
    infers("/api/v1/embed", |post| on(post, native::embed)).unversioned(),
    reads("/api/v1/models", |get| on(get, native::models)).unversioned().for_callers(),
    reads("/api/v1/whoami", |get| on(get, native::whoami)).unversioned().for_any_key(),
    reads("/api/v1/route", |get| on(get, control::route)).unversioned(),
    reads("/api/v1/circuit", |get| on(get, control::circuits)).unversioned(),
    changes("/api/v1/circuit/{*change}", |post| on(post, control::change_circuit)).unversioned(),
    reads("/api/v1/health", |get| on(get, control::health)).unversioned(),
    reads("/api/v1/lineage/{id}", |get| on(get, control::lineage)).unversioned().for_callers(),
    infers("/completion", |post| on(post, llama_server::completion)).unversioned(),
    infers("/infill", |post| on(post, llama_server::infill)).unversioned(),
    infers("/embedding", |post| on(post, llama_server::embedding)).unversioned(),
    infers("/tokenize", |post| on(post, llama_server::tokenize)).unversioned(),
    infers("/detokenize", |post| on(post, llama_server::detokenize)).unversioned(),
    infers("/apply-template", |post| on(post, llama_server::apply_template)).unversioned(),
    reads("/props", |get| on(get, llama_server::props)).unversioned().counted(),
    reads("/slots", |get| on(get, llama_server::slots)).unversioned(),
    reads("/health", |get| on(get, health::health)).open(),
    reads("/live", |get| on(get, health::live)).unversioned().open(),
    reads("/ready", |get| on(get, health::ready)).unversioned().for_any_key(),
    reads("/metrics", |get| on(get, metrics::metrics)).unversioned(),
    reads("/openapi.json", |get| on(get, openapi::openapi)).unversioned().for_any_key(),
];

/// Builds the routes over `models`, which may be filled later.
pub fn router(models: Arc<Models>, options: Options) -> Router {
    build(ROUTES, models, options)
}

fn build(routes: &'static [Route], models: Arc<Models>, options: Options) -> Router {
    let server = Arc::new(Server::new(models, options));
    let mut router = Router::new();
    for Route { method, path, versioned, answer, .. } in routes {
        router = router.route(path, answer(*method));
        if *versioned {
            router = router.route(&format!("/v1{path}"), answer(*method));
        }
    }
    let guard = Guard { routes, server: Arc::clone(&server) };
    router
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(from_fn_with_state(Arc::clone(&server), observe::observe))
        .with_state(server)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, Request, StatusCode};
    use axum::routing::MethodFilter;
    use tower::ServiceExt;

    use super::*;
    use crate::route::{Pages, terms_of};

    #[test]
    fn a_path_that_the_table_lacks_is_closed_to_pages() {
        let get = MethodFilter::try_from(Method::GET).ok();
        let delete = MethodFilter::try_from(Method::DELETE).ok();
        let pages = |routes, path, method| terms_of(routes, path, method).0;
        assert_eq!(pages(ROUTES, Some("/v1/models/{*id}"), get), Pages::MayUse);
        assert_eq!(pages(ROUTES, Some("/models"), Some(MethodFilter::HEAD)), Pages::MayUse);
        assert_eq!(pages(ROUTES, Some("/models"), delete), Pages::MayUse, "the answer is a 405");
        assert_eq!(pages(ROUTES, None, delete), Pages::MayUse, "the answer is a 404");
        assert_eq!(pages(ROUTES, Some("/v1/ready"), get), Pages::Refused);
        assert_eq!(pages(ROUTES, Some("/v1"), get), Pages::Refused);
    }

    #[test]
    fn every_route_is_described() {
        for Route { path, versioned, .. } in ROUTES {
            let path = if *versioned { format!("/v1{path}") } else { (*path).to_owned() };
            let key = format!("    \"{}\": {{\n", path.replace("{*", "{"));
            assert!(openapi::DOCUMENT.contains(&key), "{path} is not in openapi.json");
        }
    }

    #[tokio::test]
    async fn a_route_that_changes_something_is_closed_to_pages_of_any_other_origin() {
        static CHANGING: [Route; 2] = [
            reads("/models/{*id}", |get| on(get, openapi::openapi)),
            deletes("/models/{*id}", |delete| on(delete, openapi::openapi)),
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
