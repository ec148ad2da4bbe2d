//! Embeddings.

use std::sync::Arc;

use serde_json::json;
use stack_chat::ChatModel;
use stack_server::{Models, Options, Served, router};
use stack_testkit::ScriptedModel;

use crate::support::{chat_body, embedder, post, serving};

#[tokio::test]
async fn each_input_has_its_vector() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[])));
    let body = r#"{"input": ["one", [1, 2]], "model": "m"}"#;
    let json = post(&router, "/v1/embeddings", body).await.json();
    assert_eq!((&json["object"], &json["model"]), (&json!("list"), &json!("m")));
    let first = |index: usize| json["data"][index]["embedding"][0].as_f64().unwrap();
    assert!((first(0) - 1_f64.cos()).abs() < 1e-6 && (first(1) - 2_f64.cos()).abs() < 1e-6);
    assert_eq!(json["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));

    let body = r#"{"input": "", "encoding_format": "base64"}"#;
    let json = post(&router, "/v1/embeddings", body).await.json();
    assert_eq!(json["data"][0]["embedding"], "AACAPwAAAAA=");
}

#[tokio::test]
async fn what_the_model_refuses_names_the_field() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[])));
    let reply = post(&router, "/v1/embeddings", r#"{"input": "a", "dimensions": 3}"#).await;
    assert_eq!((reply.status.as_u16(), reply.error("param")), (400, "dimensions".into()));
}

#[tokio::test]
async fn a_model_that_makes_no_embeddings_is_the_callers_mistake_and_others_are_named() {
    let model = Arc::new(ScriptedModel::new("m", &["a"]));
    let models = Models::default();
    models.ready(Served {
        id: "talker".into(),
        card: model.card().clone(),
        chat: Some(model),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    });
    models.ready(embedder("minilm"));
    let router = router(Arc::new(models), Options::default());
    let reply = post(&router, "/v1/embeddings", r#"{"model": "talker", "input": "a"}"#).await;
    assert_eq!((reply.status.as_u16(), reply.error("param")), (400, "model".into()));
    assert!(reply.error("message").contains("ask \"minilm\""), "{}", reply.text);
    let reply = post(&router, "/v1/chat/completions", chat_body(r#""model": "minilm""#)).await;
    assert!(reply.error("message").contains("ask \"talker\""), "{}", reply.text);
}

#[tokio::test]
async fn a_model_that_only_embeds_does_not_chat() {
    let models = Models::default();
    models.ready(embedder("sentence/minilm"));
    let router = router(Arc::new(models), Options::default());
    let reply = post(&router, "/v1/chat/completions", chat_body("")).await;
    assert_eq!((reply.status.as_u16(), reply.error("type")), (400, "invalid_request_error".into()));
    assert_eq!((reply.error("param"), reply.error("code")), ("model".into(), "model_not_supported".into()));
    let message = reply.error("message");
    assert!(message.contains("sentence/minilm") && message.contains("embeddings only"), "{message}");
    let reply = post(&router, "/v1/completions", r#"{"prompt": "a"}"#).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        crate::support::get(&router, "/v1/models/sentence/minilm").await.json()["id"],
        "sentence/minilm"
    );
}
