//! Anthropic's dialect.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind, ToolChoice};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, post, send, serving};

fn agent() -> Arc<ScriptedModel> {
    let model = ScriptedModel::new("m", &[]).thinking(&["h", "m"]).saying(&["Let", " me"]);
    Arc::new(model.calling("t1", "ls", &["{\"path\":", "\"é\"}"]))
}

async fn message(router: &Router, more: &str) -> Reply {
    let body = format!(
        r#"{{"model": "m", "max_tokens": 100, "messages": [{{"role": "user", "content": "Tell me a story"}}]{more}}}"#
    );
    post(router, "/v1/messages?beta=true", body).await
}

/// Returns the name and data of each event.
fn events(reply: &Reply) -> Vec<(String, Value)> {
    let event = |frame: &str| {
        let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        (name.to_owned(), serde_json::from_str(data).unwrap())
    };
    reply.text.split_terminator("\n\n").map(event).collect()
}

#[tokio::test]
async fn a_message_holds_what_the_model_thought_said_and_called() {
    let model = agent();
    let router = serving(&model);
    let tools = r#", "tools": [{"name": "ls", "input_schema": {"type": "object"}}], "metadata": {}"#;
    let reply = message(&router, tools).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!((reply.header("request-id").len(), reply.header("x-request-id")), (32, ""));
    assert_eq!(reply.header("x-stack-ignored"), "metadata");
    let got = reply.json();
    assert_eq!(
        got["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "Let me"},
            {"type": "tool_use", "id": "t1", "name": "ls", "input": {"path": "é"}},
        ])
    );
    assert_eq!((&got["stop_reason"], &got["model"]), (&json!("tool_use"), &json!("m")));
    assert_eq!((&got["usage"]["input_tokens"], &got["usage"]["output_tokens"]), (&json!(4), &json!(6)));
    let [request] = model.requests().try_into().unwrap();
    assert_eq!((request.tools.len(), request.tool_choice), (1, ToolChoice::Auto));
}

#[tokio::test]
async fn a_stream_is_the_same_message_in_blocks() {
    let reply = message(&serving(&agent()), r#", "stream": true"#).await;
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let events = events(&reply);
    let joined = |kind: &str, field: &str| -> String {
        let of = |(_, data): &&(String, Value)| data["delta"]["type"] == *kind;
        events.iter().filter(of).map(|(_, data)| data["delta"][field].as_str().unwrap()).collect()
    };
    assert_eq!(joined("thinking_delta", "thinking"), "hm");
    assert_eq!(joined("text_delta", "text"), "Let me");
    assert_eq!(joined("input_json_delta", "partial_json"), "{\"path\":\"é\"}");
    let starts: Vec<_> = events
        .iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, data)| &data["index"])
        .collect();
    assert_eq!(starts, [&json!(0), &json!(1), &json!(2)]);
    assert_eq!(events[0].0, "message_start");
    let [.., (delta, data), (stop, _)] = events.as_slice() else { panic!("a stream ends") };
    assert_eq!((delta.as_str(), stop.as_str()), ("message_delta", "message_stop"));
    assert_eq!(
        (&data["delta"]["stop_reason"], &data["usage"]["output_tokens"]),
        (&json!("tool_use"), &json!(6))
    );
    assert!(!reply.is_cut);
}

#[tokio::test]
async fn tokens_are_counted_even_of_a_prompt_that_does_not_fit() {
    let body = r#"{"model": "m", "messages": [{"role": "user", "content": "one two three"}]}"#;
    for context in [0, 2] {
        let model = Arc::new(ScriptedModel::new("m", &["a"]).with_context(context));
        let reply = post(&serving(&model), "/v1/messages/count_tokens", body).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"input_tokens": 3})));
        assert_eq!(model.running(), 0, "nothing goes on behind the count");
    }
}

#[tokio::test]
async fn models_have_the_shape_of_the_client_that_asks() {
    let router = serving(&agent());
    let ask = |path: &str| {
        let request = Request::get(path).header("anthropic-version", "2023-06-01").header("x-api-key", "k");
        request.header("authorization", "Bearer k").body(Body::empty()).unwrap()
    };
    let list = send(&router, ask("/v1/models")).await;
    assert_eq!((&list.json()["data"][0]["type"], list.header("request-id").len()), (&json!("model"), 32));
    assert_eq!(send(&router, ask("/v1/models/m")).await.json()["id"], "m");
    let missing = send(&router, ask("/v1/models/other")).await;
    assert_eq!((missing.status.as_u16(), &missing.json()["type"]), (404, &json!("error")));
}

#[tokio::test]
async fn errors_have_the_dialects_shape_wherever_they_arise() {
    let busy = Failure::new(FailureKind::QueueFull, "every place is taken");
    let full = serving(&Arc::new(ScriptedModel::new("m", &[]).refusing(busy)));
    let router = serving(&agent());
    let none = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    for (reply, status, kind) in [
        (message(&router, r#", "max_tokens": "x""#).await, 400, "invalid_request_error"),
        (message(&router, r#", "model": "other""#).await, 404, "not_found_error"),
        (message(&full, "").await, 529, "overloaded_error"),
        (post(&router, "/v1/messages", "{").await, 400, "invalid_request_error"),
        (post(&router, "/v1/messages/nothing", "{}").await, 404, "not_found_error"),
        (send(&router, none("/v1/messages")).await, 405, "invalid_request_error"),
        (post(&router, "/v1/messages", "x".repeat(17 << 20)).await, 413, "request_too_large"),
    ] {
        let error = reply.json();
        assert_eq!((reply.status.as_u16(), &error["error"]["type"]), (status, &json!(kind)), "{error}");
        assert_eq!(
            (&error["type"], error["request_id"].as_str()),
            (&json!("error"), Some(reply.header("request-id")))
        );
        assert_eq!(reply.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_the_last_event_of_a_clean_stream() {
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let model = Arc::new(ScriptedModel::new("m", &["Once", " upon"]).failing_after(3, closed));
    let reply = message(&serving(&model), r#", "stream": true"#).await;
    let events = events(&reply);
    assert_eq!((reply.status.as_u16(), reply.is_cut), (200, false));
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), &data["error"]["type"]), ("error", &json!("overloaded_error")));
    assert!(!events.iter().any(|(name, _)| name == "message_stop"));
}
