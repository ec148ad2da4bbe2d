//! The routes that only llama-server has, and its ways on those that it shares.

use std::sync::Arc;

use serde_json::json;
use stack_chat::{Infill, Prompt};
use stack_server::{Options, router};
use stack_testkit::ScriptedModel;

use crate::support::{get, post, registry, serving};

fn model() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("m", &["Once", " upon"]))
}

#[tokio::test]
async fn text_becomes_tokens_and_text_again() {
    let router = serving(&model());
    let tokens = post(&router, "/tokenize", r#"{"content": "é!", "add_special": true}"#).await.json();
    assert_eq!(tokens, json!({"tokens": [256, 0xC3, 0xA9, 33]}));
    let pieces = post(&router, "/tokenize", r#"{"content": ["é", 257], "with_pieces": true}"#).await.json();
    assert_eq!(pieces["tokens"][0], json!({"id": 0xC3, "piece": [0xC3]}));
    assert_eq!(pieces["tokens"][2], json!({"id": 257, "piece": "</s>"}));
    let text = post(&router, "/detokenize", r#"{"tokens": [195, 169, 33]}"#).await.json();
    assert_eq!(text, json!({"content": "é!"}));
    let wrong = post(&router, "/detokenize", r#"{"tokens": [999]}"#).await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["error"]["code"]), (400, &json!(400)));
}

#[tokio::test]
async fn a_conversation_is_shown_as_the_model_would_see_it() {
    let router = serving(&model());
    let body = r#"{"messages": [{"role": "user", "content": "Hi"}]}"#;
    let shown = post(&router, "/apply-template", body).await.json();
    assert_eq!(shown, json!({"prompt": "user: Hi\n"}));
}

#[tokio::test]
async fn prompts_and_gaps_are_continued() {
    let model = model();
    let router = serving(&model);
    let whole = post(&router, "/completion", r#"{"prompt": "a b", "return_tokens": true}"#).await.json();
    assert_eq!((&whole["content"], &whole["prompt"]), (&json!("Once upon"), &json!("a b")));
    assert_eq!((&whole["tokens_evaluated"], &whole["stop_type"]), (&json!(2), &json!("eos")));
    let many = post(&router, "/completion", r#"{"prompt": ["a", "b"]}"#).await.json();
    assert_eq!((many.as_array().unwrap().len(), &many[1]["index"]), (2, &json!(1)));
    let stream = post(&router, "/completion", r#"{"prompt": "a", "stream": true}"#).await;
    let (events, is_marked) = stream.events();
    assert!(!is_marked && events.last().unwrap()["stop"] == json!(true), "{}", stream.text);
    let gap = post(&router, "/infill", r#"{"input_prefix": "a", "input_suffix": "b"}"#).await;
    assert_eq!(gap.json()["content"], "Once upon");
    let asked = model.requests().pop().unwrap().prompt;
    assert_eq!(asked, Prompt::Infill(Infill { prefix: "a".into(), suffix: "b".into(), ..Infill::default() }));
}

#[tokio::test]
async fn the_server_describes_itself() {
    let router = serving(&model());
    let props = get(&router, "/props?model=m").await.json();
    assert_eq!((&props["bos_token"], &props["chat_template"]), (&json!("<s>"), &json!("{{ messages }}")));
    assert_eq!(get(&router, "/props?model=x").await.status, 404);
    assert_eq!(get(&router, "/slots").await.json(), json!([{"id": 0, "is_processing": false}]));
}

#[tokio::test]
async fn in_its_ways_shared_routes_answer_like_llama_server() {
    let router = router(registry(&model()), Options { llama_server: true, ..Options::default() });
    let plain = post(&router, "/completions", r#"{"prompt": "a"}"#).await.json();
    assert_eq!(plain["content"], "Once upon");
    let openai = post(&router, "/v1/completions", r#"{"prompt": "a"}"#).await.json();
    assert_eq!(openai["choices"][0]["text"], "Once upon");
    let vectors = post(&router, "/embeddings", r#"{"content": "a"}"#).await.json();
    assert!(vectors[0]["embedding"][0].is_array());
    let wrong = post(&router, "/v1/chat/completions", "{}").await.json();
    assert_eq!(wrong["error"]["code"], 400);
}
