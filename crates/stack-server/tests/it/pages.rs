//! Web pages that ask, and what their browsers are told.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use stack_chat::{Failure, FailureKind};
use stack_server::{Options, router};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, chat_body, registry, send};

const READING: [&str; 7] =
    ["/health", "/live", "/ready", "/metrics", "/openapi.json", "/v1/models", "/v1/models/m"];
const ASKING: [&str; 3] = ["/v1/chat/completions", "/v1/completions", "/embeddings"];

/// Serves the model; pages of `https://app.example` are let in, and a proxy is called `llm.example`.
fn serving(model: ScriptedModel) -> Router {
    let options = Options {
        origins: vec!["https://app.example".parse().unwrap()],
        host_names: vec!["llm.example".parse().unwrap()],
        body_bytes_max: 1000,
        ..Options::default()
    };
    router(registry(&Arc::new(model)), options)
}

fn story() -> Router {
    serving(ScriptedModel::new("m", &["Once", " upon"]))
}

/// Sends a request as a page of `origin` would.
async fn page(router: &Router, method: Method, path: &str, origin: &str, body: impl Into<Body>) -> Reply {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", "localhost:8084").header("origin", origin);
    send(router, request.body(body.into()).unwrap()).await
}

/// Asks what a page of `origin` may do, as its browser would.
async fn preflight(router: &Router, path: &str, origin: &str, method: &str, headers: Option<&str>) -> Reply {
    let mut request = Request::builder().method(Method::OPTIONS).uri(path);
    request = request.header("host", "localhost:8084").header("origin", origin);
    request = request.header("access-control-request-method", method);
    if let Some(headers) = headers {
        request = request.header("access-control-request-headers", headers);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

fn allowed(reply: &Reply) -> &str {
    reply.header("access-control-allow-origin")
}

#[tokio::test]
async fn pages_of_this_machine_and_of_named_origins_may_read_and_ask() {
    let router = story();
    for origin in [
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:8080",
        "https://app.example",
    ] {
        for path in READING {
            let reply = page(&router, Method::GET, path, origin, "").await;
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (200, origin), "{path}");
            assert_eq!(reply.header("vary"), "origin");
        }
        for (path, body) in
            ASKING.iter().zip([chat_body("").as_str(), r#"{"prompt": "a"}"#, r#"{"input": "a"}"#])
        {
            let reply = page(&router, Method::POST, path, origin, body.to_owned()).await;
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (200, origin), "{path}");
            let exposed = reply.header("access-control-expose-headers");
            for name in ["x-request-id", "x-stack-ignored", "retry-after"] {
                assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
            }
            assert_eq!(reply.header("access-control-allow-credentials"), "");
        }
    }
}

#[tokio::test]
async fn a_preflight_allows_what_the_page_asks_about() {
    let router = story();
    // What the official client for JavaScript sends.
    let headers = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,\
                   x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,\
                   x-stainless-runtime-version,x-stainless-timeout";
    for origin in ["http://localhost:3000", "https://app.example"] {
        for path in ASKING {
            let reply = preflight(&router, path, origin, "POST", Some(headers)).await;
            assert_eq!((reply.status.as_u16(), allowed(&reply), reply.text.as_str()), (204, origin, ""));
            assert_eq!(reply.header("access-control-allow-methods"), "POST");
            assert_eq!(reply.header("access-control-allow-headers"), headers);
            assert!(!reply.header("access-control-max-age").is_empty());
        }
        let reply = preflight(&router, "/v1/models", origin, "GET", None).await;
        assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-methods")), (204, "GET"));
        assert_eq!(reply.header("access-control-allow-headers"), "authorization, content-type");
        assert_eq!(reply.header("access-control-allow-private-network"), "");
    }
}

#[tokio::test]
async fn a_page_of_the_public_network_may_ask_a_machine_of_a_private_one_where_it_is_let_in() {
    let router = story();
    for (network, origin, status, want) in [
        ("private", "https://app.example", 204, "true"),
        ("local", "https://app.example", 204, "true"),
        ("private", "https://evil.example", 403, ""),
    ] {
        let request = Request::builder().method(Method::OPTIONS).uri("/v1/chat/completions");
        let request = request.header("host", "localhost").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let request = request.header(format!("access-control-request-{network}-network"), "true");
        let reply = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, status, "{network} {origin}");
        assert_eq!(reply.header(&format!("access-control-allow-{network}-network")), want);
    }
}

#[tokio::test]
async fn other_origins_and_null_get_nothing() {
    let router = story();
    for origin in [
        "null",
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "http://localhost.evil.example",
        "http://localhost:3000@evil.example",
        "file://",
        "*",
        "",
    ] {
        for path in READING {
            let reply = page(&router, Method::GET, path, origin, "").await;
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (403, ""), "{origin} {path}");
        }
        for path in ASKING {
            let reply = page(&router, Method::POST, path, origin, chat_body("")).await;
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (403, ""), "{origin} {path}");
            let reply = preflight(&router, path, origin, "POST", Some("content-type")).await;
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (403, ""), "{origin} {path}");
        }
        assert_eq!(allowed(&page(&router, Method::GET, "/nothing", origin, "").await), "", "{origin}");
    }
}

#[tokio::test]
async fn pages_see_errors_too() {
    let router = story();
    let origin = "http://localhost:3000";
    for (method, path, body, status) in [
        (Method::GET, "/nothing", String::new(), 404),
        (Method::POST, "/v1/nothing", "{}".to_owned(), 404),
        (Method::POST, "/v1/rerank", "{}".to_owned(), 400),
        (Method::GET, "/v1/chat/completions", String::new(), 405),
        (Method::DELETE, "/v1/models/m", String::new(), 405),
        (Method::POST, "/v1/chat/completions", "{".to_owned(), 400),
        (Method::POST, "/v1/chat/completions", chat_body(r#""model": "other""#), 404),
        (Method::POST, "/v1/chat/completions", "x".repeat(1001), 413),
    ] {
        let reply = page(&router, method.clone(), path, origin, body).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (status, origin), "{method} {path}");
        let asked = preflight(&router, path, origin, method.as_str(), Some("content-type")).await;
        assert_eq!((asked.status.as_u16(), allowed(&asked)), (204, origin), "{method} {path}");
    }
    let request = Request::post("/v1/chat/completions").header("origin", origin).header("host", "localhost");
    let request = request.header("content-encoding", "gzip").body(Body::from("x")).unwrap();
    let reply = send(&router, request).await;
    assert_eq!((reply.status.as_u16(), allowed(&reply)), (415, origin));
}

#[tokio::test]
async fn pages_see_streams_that_fail_and_models_that_refuse() {
    let origin = "http://localhost:3000";
    let closed = || Failure::new(FailureKind::Draining, "the program is shutting down");
    let scripted = || ScriptedModel::new("m", &["Once", " upon"]);
    for (model, status) in [
        (scripted(), 200),
        (scripted().failing_after(1, closed()), 200),
        (scripted().failing_after(0, Failure::internal("secret")), 500),
        (scripted().refusing(closed()), 503),
    ] {
        let router = serving(model);
        let body = chat_body(r#""stream": true"#);
        let reply = page(&router, Method::POST, "/v1/chat/completions", origin, body).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (status, origin), "{}", reply.text);
    }
}

#[tokio::test]
async fn who_asks_matters_to_caches_and_programs_are_told_nothing_more() {
    let reply = crate::support::get(&story(), "/v1/models").await;
    assert_eq!((reply.header("vary"), allowed(&reply)), ("origin", ""));
    assert_eq!(reply.header("access-control-expose-headers"), "");
}

#[tokio::test]
async fn a_page_behind_the_named_proxy_may_ask() {
    let router = story();
    for host in ["llm.example", "llm.example:443", "localhost:8084"] {
        let request = Request::get("/v1/models").header("host", host).header("origin", "https://llm.example");
        let reply = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (200, ""), "{host}");
    }
}

#[tokio::test]
async fn what_is_no_preflight_gets_the_methods_of_the_route() {
    let request = Request::builder().method(Method::OPTIONS).uri("/v1/models");
    let reply = send(&story(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 405);
    assert!(reply.header("allow").contains("GET"), "{:?}", reply.headers);
}
