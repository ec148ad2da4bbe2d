//! Answers, whole and streamed.

use std::sync::Arc;

use serde_json::{Value, json};
use stack_chat::{Message, Prompt, Unused};
use stack_testkit::ScriptedModel;

use crate::support::{chat, get, post, serving};

fn story() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("m", &["Once", " upon", " a", " time"]))
}

#[tokio::test]
async fn a_conversation_is_answered() {
    let model = story();
    let reply = chat(&serving(&model), r#""model": "m", "temperature": 0, "user": "me""#).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-stack-ignored"), "user");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-request-id").len(), 32);
    let json = reply.json();
    assert_eq!(json["model"], "m");
    assert_eq!(json["choices"][0]["message"]["content"], "Once upon a time");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["total_tokens"], 8);
    assert_eq!(json["timings"]["predicted_per_second"], 4.0);
    let [request] = model.requests().try_into().unwrap();
    assert_eq!(request.prompt, Prompt::Messages(vec![Message::user("Tell me a story")]));
    assert_eq!(request.sampling.temperature, Some(0.0));
}

#[tokio::test]
async fn what_the_template_does_not_look_at_is_in_the_header() {
    let unused = [Unused::Tools, Unused::EnableThinking, Unused::Variable("tone".into())];
    let model = Arc::new(ScriptedModel::new("m", &["a"]).without_use_for(&unused));
    let options = r#""user": "me", "enable_thinking": true, "chat_template_kwargs": {"tone": "dry"}"#;
    for stream in ["false", "true"] {
        let reply = chat(&serving(&model), &format!(r#"{options}, "stream": {stream}"#)).await;
        assert_eq!(reply.status, 200);
        let expected = "chat_template_kwargs.tone, enable_thinking, tools, user";
        assert_eq!(reply.header("x-stack-ignored"), expected, "stream: {stream}");
    }
}

#[tokio::test]
async fn routes_answer_with_and_without_v1() {
    let router = serving(&story());
    for prefix in ["", "/v1"] {
        let body = crate::support::chat_body("");
        assert_eq!(post(&router, &format!("{prefix}/chat/completions"), body).await.status, 200);
        let body = r#"{"prompt": "a"}"#;
        assert_eq!(post(&router, &format!("{prefix}/completions"), body).await.status, 200);
        let body = r#"{"input": "a"}"#;
        assert_eq!(post(&router, &format!("{prefix}/embeddings"), body).await.status, 200);
        for path in ["/models", "/models/m", "/health"] {
            assert_eq!(get(&router, &format!("{prefix}{path}")).await.status, 200, "{prefix}{path}");
        }
    }
}

#[tokio::test]
async fn a_stream_is_the_same_answer_in_pieces() {
    let reply = chat(&serving(&story()), r#""stream": true"#).await;
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let (events, done) = reply.events();
    assert!(done);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "Once upon a time");
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(events.iter().all(|event| event["id"] == events[0]["id"] && event.get("usage").is_none()));
}

#[tokio::test]
async fn usage_is_streamed_when_asked_for() {
    let reply =
        chat(&serving(&story()), r#""stream": true, "stream_options": {"include_usage": true}"#).await;
    let (events, done) = reply.events();
    let last = events.last().unwrap();
    assert!(done);
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(4)));
}

#[tokio::test]
async fn several_choices_are_interleaved() {
    let router = serving(&story());
    let whole = chat(&router, r#""n": 3, "max_tokens": 2"#).await.json();
    for choice in whole["choices"].as_array().unwrap() {
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!("Once upon"), &json!("length"))
        );
    }
    let (events, _) = chat(&router, r#""n": 2, "stream": true"#).await.events();
    let indices: Vec<_> = events.iter().map(|event| event["choices"][0]["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
}

#[tokio::test]
async fn log_probabilities_come_in_both_shapes() {
    let router = serving(&story());
    let chat = chat(&router, r#""logprobs": true, "top_logprobs": 2"#).await.json();
    let tokens = chat["choices"][0]["logprobs"]["content"].as_array().unwrap().clone();
    assert_eq!((tokens.len(), tokens[1]["token"].as_str()), (4, Some(" upon")));
    assert_eq!(tokens[1]["top_logprobs"].as_array().unwrap().len(), 2);

    let plain = post(&router, "/v1/completions", r#"{"prompt": "a", "logprobs": 1}"#).await.json();
    let logprobs = &plain["choices"][0]["logprobs"];
    assert_eq!(logprobs["text_offset"], json!([0, 4, 9, 11]));
    assert_eq!(logprobs["token_logprobs"], json!([-0.5, -0.5, -0.5, -0.5]));
}

#[tokio::test]
async fn several_prompts_are_counted_through() {
    let router = serving(&story());
    let body = r#"{"prompt": ["a b", [1, 2, 3]], "n": 2, "max_tokens": 1}"#;
    let json = post(&router, "/v1/completions", body).await.json();
    let texts: Vec<_> =
        json["choices"].as_array().unwrap().iter().map(|c| (&c["index"], &c["text"])).collect();
    let once = json!("Once");
    let index: [Value; 4] = [0, 1, 2, 3].map(Value::from);
    assert_eq!(texts, index.iter().map(|index| (index, &once)).collect::<Vec<_>>());
    assert_eq!(
        (&json["usage"]["prompt_tokens"], &json["usage"]["completion_tokens"]),
        (&json!(5), &json!(4))
    );

    let body = r#"{"prompt": ["a b", "c"], "stream": true, "stream_options": {"include_usage": true}}"#;
    let (events, done) = post(&router, "/v1/completions", body).await.events();
    let text = |index: u64| -> String {
        let of = |event: &&Value| event["choices"][0]["index"] == index;
        events.iter().filter(of).map(|event| event["choices"][0]["text"].as_str().unwrap()).collect()
    };
    assert!(done);
    assert_eq!([text(0), text(1)], ["Once upon a time", "Once upon a time"]);
    assert_eq!(events.last().unwrap()["usage"]["total_tokens"], 11);
}

#[tokio::test]
async fn a_completion_has_sixteen_tokens_unless_told_otherwise() {
    let endless = Arc::new(ScriptedModel::new("m", &["x"]).endless());
    let json = post(&serving(&endless), "/v1/completions", r#"{"prompt": "a"}"#).await.json();
    assert_eq!(
        (&json["choices"][0]["text"], &json["object"]),
        (&json!("x".repeat(16)), &json!("text_completion"))
    );
}

#[tokio::test]
async fn models_are_listed_and_described() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[]).with_context(64)));
    let list = get(&router, "/v1/models").await.json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&json!("list"), &json!("m")));
    assert_eq!(list["data"][0]["meta"]["n_ctx"], 64);
    assert_eq!(get(&router, "/v1/models/m").await.json(), list["data"][0]);
}

#[tokio::test]
async fn every_reply_says_how_much_time_was_our_own() {
    let router = serving(&story());
    for reply in [chat(&router, "").await, chat(&router, r#""n": 0"#).await, get(&router, "/nothing").await] {
        let micros: u64 = reply.header("x-stack-overhead-us").parse().unwrap();
        assert!(micros < 10_000_000, "{micros}");
    }
}

#[tokio::test]
async fn thinking_and_calls_are_told_whole_and_in_pieces() {
    let model = ScriptedModel::new("m", &[]).thinking(&["h", "m"]).calling("c1", "ls", &["{\"a\"", ":1}"]);
    let router = serving(&Arc::new(model));
    let whole = chat(&router, "").await.json();
    let function = json!({"name": "ls", "arguments": "{\"a\":1}"});
    assert_eq!(
        whole["choices"][0]["message"],
        json!({"role": "assistant", "content": null, "refusal": null, "reasoning_content": "hm",
               "tool_calls": [{"id": "c1", "type": "function", "function": function}]})
    );
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 2);
    let (events, _) = chat(&router, r#""stream": true"#).await.events();
    let arguments: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"a\":1}");
}

#[tokio::test]
async fn the_callers_own_request_id_is_kept() {
    let request = axum::http::Request::get("/health").header("x-request-id", "mine");
    let reply =
        crate::support::send(&serving(&story()), request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(reply.header("x-request-id"), "mine");
}
