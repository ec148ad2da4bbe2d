//! OpenAI's dialect of responses.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, post, serving};

fn agent() -> ScriptedModel {
    let model = ScriptedModel::new("m", &[]).thinking(&["hm"]).saying(&["Let", " me"]);
    model.calling("c1", "ls", &["{\"a\"", ":1}"]).calling("c2", "patch", &["{\"input\":", "\"***\"}"])
}

async fn respond(router: &Router, more: &str) -> Reply {
    let body = format!(r#"{{"model": "m", "input": "Tell me a story"{more}}}"#);
    post(router, "/v1/responses", body).await
}

fn events(reply: &Reply) -> Vec<Value> {
    let data = |frame: &str| serde_json::from_str(frame.split_once("\ndata: ").unwrap().1).unwrap();
    let frames = reply.text.strip_suffix("data: [DONE]\n\n").expect("the end mark is the last");
    frames.split_terminator("\n\n").map(data).collect()
}

#[tokio::test]
async fn a_response_holds_an_item_for_each_part() {
    let router = serving(&Arc::new(agent()));
    let tools = r#", "temperature": 0.5, "store": true, "tools": [{"type": "custom", "name": "patch"}]"#;
    let reply = respond(&router, tools).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!((reply.header("x-request-id").len(), reply.header("x-stack-ignored")), (32, "store"));
    let got = reply.json();
    let kinds: Vec<_> = got["output"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "custom_tool_call"]);
    assert_eq!(got["output"][1]["content"][0]["text"], "Let me");
    assert_eq!(
        (&got["output"][2]["arguments"], &got["output"][3]["input"]),
        (&json!("{\"a\":1}"), &json!("***"))
    );
    assert_eq!((&got["temperature"], &got["tools"][0]["name"]), (&json!(0.5), &json!("patch")));
    assert_eq!(
        (&got["status"], &got["usage"]["output_tokens_details"]["reasoning_tokens"]),
        (&json!("completed"), &json!(1))
    );
    let limited = respond(&router, r#", "max_output_tokens": 1"#).await.json();
    assert_eq!(limited["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn a_stream_ends_with_the_whole_response() {
    let router = serving(&Arc::new(agent()));
    let reply = respond(&router, r#", "stream": true"#).await;
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let events = events(&reply);
    let (first, last) = (&events[0], events.last().unwrap());
    assert_eq!((&first["type"], &last["type"]), (&json!("response.created"), &json!("response.completed")));
    assert_eq!(first["response"]["id"], last["response"]["id"]);
    let done: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| event["item"].clone())
        .collect();
    assert_eq!(Value::Array(done), last["response"]["output"]);
    assert!(!reply.is_cut);
}

#[tokio::test]
async fn tokens_are_counted() {
    let router = serving(&Arc::new(agent()));
    let reply = post(&router, "/v1/responses/input_tokens", r#"{"model": "m", "input": "one two"}"#).await;
    assert_eq!(reply.json(), json!({"object": "response.input_tokens", "input_tokens": 2}));
}

#[tokio::test]
async fn errors_name_the_fields_of_the_route() {
    let formless = Failure::unsupported("response_format", "this model cannot do that");
    let unable = serving(&Arc::new(ScriptedModel::new("m", &[]).refusing(formless)));
    let router = serving(&Arc::new(agent()));
    for (reply, status, code, param) in [
        (
            respond(&router, r#", "previous_response_id": "r""#).await,
            400,
            "unsupported_parameter",
            "previous_response_id",
        ),
        (respond(&router, r#", "temperature": "hot""#).await, 400, "invalid_value", "temperature"),
        (respond(&router, r#", "model": "other""#).await, 404, "model_not_found", "model"),
        (respond(&unable, "").await, 400, "unsupported_parameter", "text.format"),
        (post(&router, "/v1/responses/nothing", "{}").await, 405, "method_not_allowed", ""),
    ] {
        assert_eq!(reply.status.as_u16(), status, "{}", reply.text);
        assert_eq!((reply.error("code").as_str(), reply.error("param").as_str()), (code, param));
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_the_last_event_of_a_clean_stream() {
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let model = ScriptedModel::new("m", &["Once", " upon"]).failing_after(3, closed);
    let reply = respond(&serving(&Arc::new(model)), r#", "stream": true"#).await;
    let last = events(&reply).pop().unwrap();
    assert_eq!((reply.status.as_u16(), reply.is_cut), (200, false));
    assert_eq!(
        (&last["type"], &last["response"]["error"]["code"]),
        (&json!("response.failed"), &json!("shutting_down"))
    );
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Once");
}
