//! The routes that only llama-server has, and its ways on those that it shares.

use std::sync::Arc;

use serde_json::json;
use stack_chat::{Infill, Prompt};
use stack_server::{Options, router};
use stack_testkit::ScriptedModel;

use crate::support::{chat, get, post, registry, serving};

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
    assert_eq!(get(&router, "/slots").await.json(), json!([{"id": 0, "is_processing": false, "n_ctx": 0}]));
}

#[tokio::test]
async fn who_needs_an_idle_slot_learns_that_there_is_none() {
    let model = Arc::new(ScriptedModel::new("m", &["a"]).holding_after(1));
    let router = router(registry(&model), Options { requests_max: 1, ..Options::default() });
    let asked = tokio::spawn({
        let router = router.clone();
        async move { post(&router, "/completion", r#"{"prompt": "a"}"#).await }
    });
    while model.running() == 0 {
        tokio::task::yield_now().await;
    }
    let slots = get(&router, "/slots").await.json();
    assert_eq!((slots.as_array().unwrap().len(), &slots[0]["is_processing"]), (1, &json!(true)), "{slots}");
    for query in ["fail_on_no_slot=1", "fail_on_no_slot"] {
        let reply = get(&router, &format!("/slots?{query}")).await;
        assert!(reply.status == 503 && reply.text.contains("no slot available"), "{}", reply.text);
    }
    model.release();
    assert_eq!(asked.await.unwrap().status, 200);
    assert_eq!(get(&router, "/slots?fail_on_no_slot=1").await.status, 200);
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

#[tokio::test]
async fn chats_are_answered_as_its_tests_demand() {
    let model = model();
    let router = serving(&model);
    let whole = chat(&router, r#""max_tokens": 1"#).await.json();
    assert_eq!(
        (&whole["object"], &whole["choices"][0]["finish_reason"]),
        (&json!("chat.completion"), &json!("length"))
    );
    assert_eq!(
        (&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"]),
        (&json!(4), &json!(1))
    );
    let two = chat(&router, r#""n": 2"#).await.json();
    assert_eq!(
        (&two["choices"][1]["index"], &two["choices"][1]["message"]["content"]),
        (&json!(1), &json!("Once upon"))
    );
    let (events, is_marked) = chat(&router, r#""stream": true"#).await.events();
    assert!(is_marked);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant", "it comes first, and once");
    assert!(events[1..].iter().all(|event| event["choices"][0]["delta"].get("role").is_none()));
    let banned = chat(&router, r#""logit_bias": [[7, false]]"#).await;
    assert_eq!(banned.status, 200);
    let bias = model.requests().pop().unwrap().sampling.logit_bias;
    assert_eq!((bias[0].token, bias[0].bias), (7, f32::NEG_INFINITY));
}

#[tokio::test]
async fn what_its_tests_send_wrongly_is_refused() {
    let router = serving(&model());
    for body in [
        r#"{"messages": "Hi"}"#,
        r#"{"messages": [1]}"#,
        r#"{"messages": [{"role": "user"}]}"#,
        r#"{"messages": [{"role": "user", "content": {"text": "Hi"}}]}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "xml"}}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_schema", "json_schema": 1}}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}], "json_schema": {"type": "object"}, "grammar": "root ::= \"a\""}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function"}]}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}], "tool_choice": "required"}"#,
    ] {
        assert_eq!(post(&router, "/v1/chat/completions", body).await.status, 400, "{body}");
    }
    for (path, body) in [
        ("/completion", r#"{"prompt": {}}"#),
        ("/completion", r#"{"prompt": "a", "n_predict": "all"}"#),
        ("/infill", r#"{"input_prefix": "a", "input_suffix": "b", "input_extra": "c"}"#),
        ("/infill", r#"{"input_prefix": "a", "input_suffix": "b", "input_extra": [{"filename": "f"}]}"#),
        ("/infill", r#"{"input_prefix": 1}"#),
        ("/tokenize", r#"{"content": {}}"#),
        ("/detokenize", r#"{"tokens": "a"}"#),
        ("/embedding", r#"{"content": [[]]}"#),
        ("/v1/embeddings", r#"{"input": []}"#),
        ("/v1/embeddings", r#"{"input": "a", "encoding_format": "xml"}"#),
    ] {
        assert_eq!(post(&router, path, body).await.status, 400, "{path} {body}");
    }
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_told_with_both_numbers_in_a_stream_too() {
    let tight = ScriptedModel::new("m", &["a"]).with_context(2);
    let router = router(registry(&Arc::new(tight)), Options { llama_server: true, ..Options::default() });
    for stream in ["false", "true"] {
        let reply = chat(&router, &format!(r#""stream": {stream}"#)).await;
        let error = &reply.json()["error"];
        assert_eq!((reply.status.as_u16(), &error["type"]), (400, &json!("exceed_context_size_error")));
        assert_eq!((&error["n_prompt_tokens"], &error["n_ctx"]), (&json!(4), &json!(2)));
    }
}

#[tokio::test]
async fn vectors_are_the_same_in_both_encodings_and_for_each_input() {
    let router = serving(&model());
    let ask = |body: &'static str| post(&router, "/v1/embeddings", body);
    let one = ask(r#"{"input": "a"}"#).await.json();
    let two = ask(r#"{"input": ["b", "a"]}"#).await.json();
    assert_eq!(
        (&two["data"][1]["embedding"], &two["data"][1]["index"]),
        (&one["data"][0]["embedding"], &json!(1))
    );
    let packed = ask(r#"{"input": "a", "encoding_format": "base64"}"#).await.json();
    assert_eq!(packed["usage"], one["usage"]);
    assert!(packed["data"][0]["embedding"].is_string());
}
