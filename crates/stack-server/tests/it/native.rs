//! The program's own dialect.

use std::sync::Arc;

use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind};
use stack_testkit::ScriptedModel;

use crate::support::{get, post, serving};

const BODY: &str = r#"{"model": "local", "messages": [{"role": "user", "content": "Hi"}], "user": "u"}"#;

fn agent() -> ScriptedModel {
    ScriptedModel::new("m", &[]).thinking(&["hm"]).saying(&["Let", " me"]).calling(
        "c1",
        "ls",
        &["{\"a\"", ":1}"],
    )
}

#[tokio::test]
async fn an_answer_comes_with_its_lineage() {
    let router = serving(&Arc::new(agent()));
    let reply = post(&router, "/api/v1/chat", BODY).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-stack-ignored")), (200, "user"));
    let answer = reply.json();
    assert_eq!((&answer["content"], &answer["thinking"][0]["thinking"]), (&json!("Let me"), &json!("hm")));
    assert_eq!(answer["tool_calls"], json!([{"id": "c1", "name": "ls", "arguments": {"a": 1}}]));
    let lineage = &answer["lineage"];
    assert_eq!((&lineage["model"], &lineage["requested_model"]), (&json!("m"), &Value::Null));
    assert_eq!(lineage["request_id"], reply.header("x-request-id"));
    assert_eq!(lineage["changes"], json!(["without effect: user"]));
}

#[tokio::test]
async fn a_stream_ends_with_finish_or_with_error() {
    let router = serving(&Arc::new(agent()));
    let reply = post(&router, "/api/v1/chat/stream", BODY).await;
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let last = reply.text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("event: finish\n") && last.contains("\"lineage\""), "{last}");
    let broken = agent().failing_after(3, Failure::internal("secret"));
    let reply = post(&serving(&Arc::new(broken)), "/api/v1/chat/stream", BODY).await;
    assert!(reply.text.contains("event: error\n") && !reply.text.contains("event: finish"), "{}", reply.text);
    assert!(!reply.is_cut && !reply.text.contains("secret"));
}

#[tokio::test]
async fn errors_say_whose_they_are() {
    let model = ScriptedModel::new("m", &[]).refusing(Failure::new(FailureKind::QueueFull, "full"));
    let reply = post(&serving(&Arc::new(model)), "/api/v1/chat", BODY).await;
    assert_eq!(reply.status, 503);
    let word = |name| reply.error(name);
    assert_eq!((word("code").as_str(), word("domain").as_str()), ("gateway_queue_full", "gateway"));
    assert_eq!(word("request_id"), reply.header("x-request-id"));
    let router = serving(&Arc::new(agent()));
    for (model, status) in [("m-1", 404), ("local", 400)] {
        let elsewhere = BODY.replace("local", model).replace("\"user\": \"u\"", "\"provider\": \"openai\"");
        let reply = post(&router, "/api/v1/chat", elsewhere).await;
        assert_eq!((reply.status.as_u16(), reply.error("field").as_str()), (status, "model"), "{model}");
    }
}

#[tokio::test]
async fn vectors_and_models_are_told_the_same_way() {
    let router = serving(&Arc::new(agent()));
    let vectors = post(&router, "/api/v1/embed", r#"{"input": ["a", "b c"]}"#).await.json();
    assert_eq!(vectors["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!((&vectors["provider"], &vectors["lineage"]["model"]), (&json!("engine"), &json!("m")));
    let models = get(&router, "/api/v1/models").await.json();
    assert_eq!((&models["models"][0]["id"], &models["aliases"]["local"]), (&json!("m"), &json!("m")));
}
