//! Ollama's dialect.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, get, post, send, serving};

fn agent() -> ScriptedModel {
    ScriptedModel::new("m", &[]).thinking(&["hm"]).saying(&["Let", " me"]).calling(
        "c1",
        "ls",
        &["{\"a\"", ":1}"],
    )
}

async fn chat(router: &Router, more: &str) -> Reply {
    let body =
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "Tell me a story"}}]{more}}}"#);
    post(router, "/api/chat", body).await
}

fn lines(reply: &Reply) -> Vec<Value> {
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_chat_is_a_line_for_each_piece_unless_it_is_wanted_whole() {
    let router = serving(&Arc::new(agent()));
    let reply = chat(&router, r#", "options": {"num_ctx": 4096}"#).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(reply.header("x-stack-ignored"), "options.num_ctx");
    let lines = lines(&reply);
    let joined =
        |field: &str| -> String { lines.iter().filter_map(|line| line["message"][field].as_str()).collect() };
    assert_eq!((joined("content").as_str(), joined("thinking").as_str()), ("Let me", "hm"));
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["done"], &last["eval_count"], &last["prompt_eval_count"]),
        (&json!(true), &json!(5), &json!(4))
    );

    let whole = chat(&router, r#", "stream": false"#).await;
    assert_eq!(whole.header("content-type"), "application/json");
    let whole = whole.json();
    assert_eq!(whole["message"]["content"], "Let me");
    assert_eq!(whole["message"]["tool_calls"][0]["function"]["arguments"], json!({"a": 1}));
}

#[tokio::test]
async fn prompts_are_continued_and_embedded() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &["Once", " upon"])));
    let generated =
        post(&router, "/api/generate", r#"{"model": "m:latest", "prompt": "a", "stream": false}"#).await;
    assert_eq!(generated.json()["response"], "Once upon");
    let loaded = post(&router, "/api/generate", r#"{"model": "m"}"#).await.json();
    assert_eq!((&loaded["done"], &loaded["done_reason"]), (&json!(true), &json!("load")));
    let embedded = post(&router, "/api/embed", r#"{"model": "m", "input": ["a", "b c"]}"#).await.json();
    assert_eq!(
        (embedded["embeddings"].as_array().unwrap().len(), &embedded["prompt_eval_count"]),
        (2, &json!(3))
    );
    let one = post(&router, "/api/embeddings", r#"{"model": "m", "prompt": "a"}"#).await.json();
    assert_eq!(one["embedding"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn tools_that_look_for_a_server_find_one() {
    let router = serving(&Arc::new(agent()));
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let reply = send(&router, request).await;
        assert_eq!(reply.status, 200, "{method}");
        assert_eq!(reply.text, if method == "GET" { "Ollama is running" } else { "" });
    }
    assert_eq!(get(&router, "/api/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
    for path in ["/api/tags", "/api/ps"] {
        assert_eq!(get(&router, path).await.json()["models"][0]["name"], "m", "{path}");
    }
    let show = post(&router, "/api/show", r#"{"model": "m"}"#).await.json();
    assert_eq!(show["details"]["family"], "scripted");
}

#[tokio::test]
async fn errors_are_sentences_with_a_status() {
    let router = serving(&Arc::new(agent()));
    for (reply, status) in [
        (chat(&router, r#", "think": 7"#).await, 400),
        (chat(&router, r#", "model": "other""#).await, 404),
        (post(&router, "/api/show", r#"{"model": "other"}"#).await, 404),
        (post(&router, "/api/chat", "{").await, 400),
        (post(&router, "/api/nothing", "{}").await, 404),
        (get(&router, "/api/chat").await, 405),
        (post(&router, "/api/embed", "x".repeat(17 << 20)).await, 413),
    ] {
        assert_eq!(reply.status.as_u16(), status, "{}", reply.text);
        assert!(reply.json()["error"].is_string(), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_the_last_line() {
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let model = ScriptedModel::new("m", &["Once", " upon"]).failing_after(3, closed);
    let reply = chat(&serving(&Arc::new(model)), "").await;
    let lines = lines(&reply);
    assert_eq!((reply.status.as_u16(), reply.is_cut), (200, false));
    assert_eq!(lines.last().unwrap(), &json!({"error": "the program is shutting down"}));
    assert!(lines.iter().all(|line| line["done"] != true));
}
