//! Everything that is not an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_core::Stream;
use stack_chat::{ChatEvent, ChatModel, ChatRequest, EventStream, Failure, FailureKind, ModelCard};
use stack_server::{Models, Options, Served, router};
use stack_testkit::ScriptedModel;
use tower::ServiceExt;

use crate::support::{chat, chat_body, get, post, registry, send, serving};

fn scripted() -> ScriptedModel {
    ScriptedModel::new("m", &["Once", " upon"])
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_the_same_shape() {
    let router = serving(&Arc::new(scripted()));
    for (reply, status, code) in [
        (get(&router, "/nothing").await, 404, "unknown_url"),
        (get(&router, "/v1/chat").await, 404, "unknown_url"),
        (get(&router, "/v1/chat/completions").await, 405, "method_not_allowed"),
        (post(&router, "/chat/completions/", "{}").await, 404, "unknown_url"),
        (post(&router, "/v1/models", "{}").await, 405, "method_not_allowed"),
        (get(&router, "/v1/models/other").await, 404, "model_not_found"),
        (chat(&router, r#""model": "other""#).await, 404, "model_not_found"),
    ] {
        assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (status, code));
        assert!(!reply.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_and_the_server_goes_on() {
    let router = serving(&Arc::new(scripted()));
    let deep = "[".repeat(100_000);
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
        for body in
            ["", "{", "null", "[]", "\"a\"", "{\"a\": \"\u{0}\"}", "{\"messages\": [", &deep, "NaN", "{}"]
        {
            let reply = post(&router, path, body.to_owned()).await;
            assert_eq!(
                (reply.status.as_u16(), reply.error("type").as_str()),
                (400, "invalid_request_error"),
                "{body}"
            );
        }
        let reply = post(&router, path, &b"{\"messages\": \"\xff\xfe\"}"[..]).await;
        assert_eq!(reply.status, 400);
    }
    assert_eq!(chat(&router, "").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let options = Options { body_bytes_max: 1000, ..Options::default() };
    let router = router(registry(&Arc::new(scripted())), options);
    let reply = post(&router, "/v1/chat/completions", "x".repeat(1001)).await;
    assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (413, "request_too_large"));
    let reply = post(&router, "/v1/chat/completions", "x".repeat(1000)).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_an_error_with_both_numbers_streamed_or_not() {
    let router = serving(&Arc::new(scripted().with_context(4)));
    for stream in ["false", "true"] {
        let reply = chat(&router, &format!("\"stream\": {stream}")).await;
        assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (400, "context_length_exceeded"));
        assert_eq!(reply.error("type"), "exceed_context_size_error");
        let error = &reply.json()["error"];
        assert_eq!((&error["n_prompt_tokens"], &error["n_ctx"]), (&4.into(), &4.into()));
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let model = Arc::new(scripted().full_beyond(1).holding_after(1));
    let router = serving(&model);
    let first = tokio::spawn({
        let router = router.clone();
        async move { chat(&router, "").await }
    });
    while model.running() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = chat(&router, r#""stream": true"#).await;
    assert_eq!((refused.status.as_u16(), refused.error("type").as_str()), (503, "unavailable_error"));
    assert_eq!(refused.header("retry-after"), "1");
    model.release();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(chat(&router, "").await.status, 200);
}

#[tokio::test]
async fn a_model_that_loads_is_not_ready_yet() {
    let models = Arc::new(Models::default());
    let router = router(Arc::clone(&models), Options::default());
    assert_eq!(get(&router, "/ready").await.status, 503);
    assert_eq!(chat(&router, "").await.error("param"), "model");

    models.loading("m");
    assert_eq!(get(&router, "/ready").await.status, 503);
    let reply = chat(&router, "").await;
    assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (503, "model_loading"));
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(get(&router, "/v1/models").await.json()["data"][0]["status"]["value"], "loading");

    models.failed("m");
    let reply = chat(&router, "").await;
    assert_eq!((reply.error("code").as_str(), reply.header("retry-after")), ("model_failed", ""));
    assert_eq!(get(&router, "/ready").await.status, 503);

    let model = Arc::new(scripted());
    let served = |id: &str| Served {
        id: id.into(),
        card: model.card().clone(),
        chat: Some(Arc::clone(&model) as _),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    };
    models.ready(served("m"));
    assert_eq!(
        (get(&router, "/ready").await.status, chat(&router, "").await.status),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );

    models.ready(served("other"));
    let reply = chat(&router, "").await;
    assert_eq!((reply.status.as_u16(), reply.error("param").as_str()), (400, "model"));
    assert_eq!(chat(&router, r#""model": "other""#).await.json()["model"], "other");
}

#[tokio::test]
async fn a_model_that_is_not_served_is_not_found_and_the_message_says_what_helps() {
    let router = serving(&Arc::new(scripted()));
    for reply in [chat(&router, r#""model": "gpt-4o""#).await, get(&router, "/v1/models/gpt-4o").await] {
        assert_eq!((reply.status.as_u16(), reply.error("param").as_str()), (404, "model"));
        for part in ["gpt-4o", "the server has \"m\"", "--alias NAME", "--any-model"] {
            assert!(reply.error("message").contains(part), "{part}: {}", reply.text);
        }
    }
    assert_eq!(chat(&router, r#""model": """#).await.status, 200, "an empty name asks for none");
}

#[tokio::test]
async fn with_any_model_the_only_one_answers_and_says_which_it_is() {
    let options = Options { any_model: true, ..Options::default() };
    let router = router(registry(&Arc::new(scripted())), options);
    assert_eq!(chat(&router, r#""model": "gpt-4o""#).await.json()["model"], "m");
    let (events, _) = chat(&router, r#""model": "gpt-4o", "stream": true"#).await.events();
    assert!(events.iter().all(|event| event["model"] == "m"));
    let body = r#"{"model": "text-embedding-3-small", "input": "a"}"#;
    assert_eq!(post(&router, "/v1/embeddings", body).await.json()["model"], "m");
    assert_eq!(get(&router, "/v1/models/gpt-4o").await.json()["id"], "m");
}

#[tokio::test]
async fn a_body_that_is_no_plain_utf_8_is_named() {
    let router = serving(&Arc::new(scripted()));
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] {
        let reply = post(&router, path, format!("\u{feff}{}", chat_body(""))).await;
        assert_eq!(reply.status, 400);
        assert!(reply.error("message").contains("byte order mark (BOM"), "{}", reply.text);
    }
    let request = Request::post("/v1/chat/completions").header("content-encoding", "gzip");
    let reply = send(&router, request.body(chat_body("").into()).unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (415, "unsupported_encoding"));
}

#[tokio::test]
async fn a_defect_stays_inside() {
    let defect = Failure::internal("secret detail");
    for model in [
        scripted().refusing(defect.clone()),
        scripted().failing_after(0, defect.clone()),
        scripted().failing_after(3, defect),
    ] {
        let reply = chat(&serving(&Arc::new(model)), "").await;
        assert_eq!((reply.status.as_u16(), reply.error("type").as_str()), (500, "server_error"));
        assert!(!reply.text.contains("secret"), "{}", reply.text);
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_its_last_event() {
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let reply = chat(&serving(&Arc::new(scripted().failing_after(3, closed))), r#""stream": true"#).await;
    let (events, done) = reply.events();
    assert_eq!((reply.status.as_u16(), done, reply.is_cut), (200, false, true));
    assert_eq!(events[1]["choices"][0]["delta"]["content"], "Once");
    assert_eq!(events[2]["error"]["code"], "shutting_down");
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn an_error_of_one_prompt_ends_all() {
    let model = Arc::new(scripted().with_context(3));
    let router = serving(&model);
    let reply = post(&router, "/v1/completions", r#"{"prompt": ["a", "a b c d"]}"#).await;
    assert_eq!((reply.status.as_u16(), reply.error("code").as_str()), (400, "context_length_exceeded"));
    assert_eq!((model.running(), model.cancelled()), (0, 1));
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let model = Arc::new(scripted().holding_after(0));
    let options = Options { ping_after: Duration::from_millis(10), ..Options::default() };
    let router = router(registry(&model), options);
    let request =
        Request::post("/v1/chat/completions").body(Body::from(chat_body(r#""stream": true"#))).unwrap();
    let mut body = router.oneshot(request).await.unwrap().into_body().into_data_stream();
    let mut text = String::new();
    while let Some(chunk) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        if text == ": ping\n\n: ping\n\n" {
            model.release();
        }
    }
    assert!(text.starts_with(": ping\n\n: ping\n\n") && text.ends_with("data: [DONE]\n\n"), "{text}");
}

/// A model that panics when it is asked, or (with `ignore_eos`) after the first event of its stream.
struct Broken(ModelCard);

impl ChatModel for Broken {
    fn card(&self) -> &ModelCard {
        &self.0
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        assert!(request.ignore_eos, "a defect in a model");
        Ok(Box::pin(BrokenStream { started: false }))
    }
}

struct BrokenStream {
    started: bool,
}

impl Stream for BrokenStream {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!std::mem::replace(&mut self.started, true), "a defect in a stream");
        Poll::Ready(Some(Ok(ChatEvent::Started { prompt_tokens: 1, seed: 0, unused: Vec::new() })))
    }
}

#[tokio::test]
async fn a_panic_is_told_and_not_the_end() {
    let models = Models::default();
    let card = ModelCard::default();
    models.ready(Served {
        id: "m".into(),
        card: card.clone(),
        chat: Some(Arc::new(Broken(card))),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    });
    let router = router(Arc::new(models), Options::default());
    for _ in 0..2 {
        let reply = chat(&router, "").await;
        assert_eq!((reply.status.as_u16(), reply.error("type").as_str()), (500, "server_error"));
        assert!(!reply.header("x-request-id").is_empty());
    }
    let reply = chat(&router, r#""stream": true, "ignore_eos": true"#).await;
    let (events, done) = reply.events();
    assert_eq!((events[1]["error"]["type"].as_str(), done), (Some("server_error"), false));
    assert_eq!(get(&router, "/health").await.status, 200);
}

#[tokio::test]
async fn a_foreign_web_page_is_refused() {
    let router = serving(&Arc::new(scripted()));
    let ask = |origin: &str| {
        let request =
            Request::post("/v1/chat/completions").header("host", "localhost").header("origin", origin);
        request.body(chat_body("").into()).unwrap()
    };
    let reply = send(&router, ask("https://evil.example")).await;
    assert_eq!((reply.status.as_u16(), reply.error("type").as_str()), (403, "permission_error"));
    let reply = send(&router, ask("http://localhost:3000")).await;
    assert_eq!(reply.status, 200);
}
