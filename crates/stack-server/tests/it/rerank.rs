//! Ranking documents.

use std::sync::Arc;

use serde_json::json;
use stack_server::{Models, Options, router};
use stack_testkit::ScriptedModel;

use crate::support::{embedder, post, serving};

const BODY: &str = r#"{"query": "red cat", "documents": ["a dog", "the red cat", "my cat"]}"#;

#[tokio::test]
async fn documents_are_ranked_under_every_spelling() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[])));
    for path in ["/v1/rerank", "/rerank", "/v1/reranking", "/reranking"] {
        let json = post(&router, path, BODY).await.json();
        let order: Vec<_> =
            json["results"].as_array().unwrap().iter().map(|result| &result["index"]).collect();
        assert_eq!(order, [&json!(1), &json!(2), &json!(0)], "{path}");
        assert_eq!((&json["model"], &json["usage"]["total_tokens"]), (&json!("m"), &json!(13)));
    }
    let texts = r#"{"query": "red cat", "texts": ["a dog", "the red cat"], "top_n": 1}"#;
    assert_eq!(post(&router, "/rerank", texts).await.json(), json!([{"index": 1, "score": 2.0}]));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[])));
    for (body, field) in [
        (r#"{"query": "q", "documents": []}"#, "documents"),
        (r#"{"query": "q", "documents": [1]}"#, "documents[0]"),
        (r#"{"documents": ["a"]}"#, "query"),
    ] {
        let reply = post(&router, "/v1/rerank", body).await;
        assert_eq!((reply.status.as_u16(), reply.error("param")), (400, field.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_model_that_ranks_nothing_is_the_callers_mistake() {
    let models = Models::default();
    models.ready(embedder("minilm"));
    let router = router(Arc::new(models), Options::default());
    let reply = post(&router, "/v1/rerank", BODY).await;
    assert_eq!((reply.status.as_u16(), reply.error("param")), (400, "model".into()));
    assert!(reply.error("message").contains("ranks no documents"), "{}", reply.text);
}
