//! What each family answers becomes the same events.

use serde_json::Value;
use stack_chat::{ChatRequest, Json, Output, Schema, Tier, Tool};
use stack_testkit::{HttpReply, ProviderFamily, Recording, Said, Step};

use super::support::{KEY, answer, ask, next, options, provider, scripted};
use crate::support::begin;

const CALL: Said = Said::Call { name: "ls", arguments: "{\"x\":1}" };

#[tokio::test]
async fn text_thoughts_and_calls_arrive_whichever_family_says_them() {
    for family in ProviderFamily::ALL {
        for (said, want) in [
            (&[Said::Text("Hel"), Said::Text("lo")][..], "Hello|stop|11+7"),
            (&[Said::Thought("Hm"), Said::Text("Yes")], "{Hm}Yes|stop|11+7"),
            (&[Said::Text("See"), CALL], "See<ls>{\"x\":1}|tool_calls|11+7"),
        ] {
            let recording = Recording::of(family, said);
            let (_server, provider) = scripted(family, move |_| recording.reply());
            assert_eq!(answer(&provider, ask()).await, want, "{family:?}");
        }
    }
}

#[tokio::test]
async fn it_does_not_matter_how_the_bytes_arrive() {
    for family in ProviderFamily::ALL {
        let recording = Recording::of(family, &[Said::Thought("Hm"), Said::Text("é"), CALL]);
        let bytes = recording.records.concat().into_bytes();
        let (_server, provider) = scripted(family, move |_| recording.play([Step::Trickle(bytes.clone())]));
        assert_eq!(answer(&provider, ask()).await, "{Hm}é<ls>{\"x\":1}|tool_calls|11+7", "{family:?}");
    }
}

#[tokio::test]
async fn each_family_is_asked_at_its_own_path_with_its_own_header() {
    for (family, path, header, value) in [
        (ProviderFamily::OpenaiChat, "/v1/chat/completions", "authorization", format!("Bearer {KEY}")),
        (ProviderFamily::OpenaiResponses, "/v1/responses", "authorization", format!("Bearer {KEY}")),
        (ProviderFamily::Anthropic, "/v1/messages", "x-api-key", KEY.to_owned()),
        (
            ProviderFamily::Gemini,
            "/v1beta/models/m-1:streamGenerateContent",
            "x-goog-api-key",
            KEY.to_owned(),
        ),
        (ProviderFamily::Ollama, "/api/chat", "authorization", format!("Bearer {KEY}")),
    ] {
        let recording = Recording::of(family, &[Said::Text("Yes")]);
        let (server, provider) = scripted(family, move |_| recording.reply());
        let schema = Schema { schema: Json("{\"type\":\"object\"}".into()), name: None, strict: true };
        let tool = Tool { name: "ls".into(), description: None, parameters: None, strict: false };
        let request =
            ChatRequest { tools: vec![tool], output: Output::Schema(schema), max_tokens: Some(5), ..ask() };
        assert_eq!(answer(&provider, request).await, "Yes|stop|11+7", "{family:?}");
        let asked = server.requests().pop().unwrap();
        assert_eq!((asked.path(), asked.header(header)), (path, Some(value.as_str())), "{family:?}");
        assert_eq!(asked.header("accept-encoding"), None, "nothing is unpacked");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let text = body.to_string();
        assert!(text.contains("\"ls\"") && text.contains("\"object\"") && !text.contains(KEY), "{text}");
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_is_one_too() {
    let body = r#"{"id":"c","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Yes"},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
    let (_server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| {
        HttpReply::new(200, body).header("content-type", "application/json; charset=utf-8")
    });
    assert_eq!(answer(&provider, ask()).await, "Yes|stop|11+7");
}

#[tokio::test]
async fn what_a_provider_has_no_option_for_is_told() {
    let recording = Recording::of(ProviderFamily::Anthropic, &[Said::Text("Yes")]);
    let (_server, provider) = scripted(ProviderFamily::Anthropic, move |_| recording.reply());
    let mut request = ask();
    request.sampling.seed = Some(1);
    let mut stream = begin(&provider, request).unwrap();
    let Some(Ok(stack_chat::ChatEvent::Started { unused, .. })) = next(&mut stream).await else { panic!() };
    assert_eq!(unused, [stack_chat::Unused::Option("seed".into())]);
}

#[tokio::test]
async fn only_listed_models_are_asked_and_prices_are_not_promised() {
    let mut options = options(ProviderFamily::OpenaiChat, "http://127.0.0.1:1");
    options.models = vec!["m-1".to_owned()];
    let provider = provider(options, Tier::Standard);
    assert!(provider.model("m-1").is_some() && provider.model("m-2").is_none());
    let request = ChatRequest { cost_max: Some(stack_chat::Money(1)), ..ask() };
    assert_eq!(answer(&provider, request).await, "!policy_price_unknown");
}

#[tokio::test]
async fn an_estimate_leaves_nothing() {
    use stack_chat::ChatModel;
    let (server, provider) = scripted(ProviderFamily::Anthropic, |_| HttpReply::new(500, ""));
    let estimate = provider.model("m-1").unwrap().estimate(&ask()).unwrap().unwrap();
    assert!((5..100).contains(&estimate), "{estimate}");
    assert!(server.requests().is_empty());
}
