//! Providers that fail: each dialect says so in its own words, and no cut looks like an end.

use serde_json::{Value, json};
use stack_testkit::{HttpReply, ProviderFamily, Recording, Said};

use super::{Answer, KEY, Server, every_family};

/// Whether a stream says that it failed.
type Fails = fn(&Answer) -> bool;

/// Where a dialect is asked, and how a stream of it says that it failed.
const DIALECTS: [(&str, Fails); 4] = [
    ("/v1/chat/completions", |answer| {
        answer.body.contains("{\"error\":") && !answer.body.contains("[DONE]") && !answer.is_whole
    }),
    ("/v1/responses", |answer| {
        answer.body.contains("event: response.failed") && !answer.body.contains("response.completed")
    }),
    ("/v1/messages", |answer| answer.body.contains("event: error") && !answer.body.contains("message_stop")),
    ("/api/chat", |answer| {
        answer.records().last().is_some_and(|last| last["error"].is_string())
            && !answer.body.contains("\"done\":true")
    }),
];

fn request(path: &str, model: &str) -> Value {
    let mut request = json!({"model": model, "stream": true, "max_tokens": 64});
    let name = if path == "/v1/responses" { "input" } else { "messages" };
    request[name] = json!([{"role": "user", "content": "Hi"}]);
    request
}

#[test]
fn a_stream_that_is_cut_at_any_event_ends_in_an_error_of_the_dialect() {
    let mut begun = 0;
    for cut in 1..=6 {
        let providers = every_family(move |family, _| {
            let recording = Recording::of(family, &[Said::Text("Hel"), Said::Text("lo")]);
            // The proof itself and what comes behind it are not cut off.
            let proof = recording.records.len() - if family == ProviderFamily::OpenaiChat { 3 } else { 1 };
            recording.cut_after(cut.min(proof))
        });
        let server = Server::start(&providers, "", &[]);
        for provider in &providers[..5] {
            let model = format!("{}/m-1", provider.name);
            for (path, fails) in DIALECTS {
                let answer = server.post(path, &request(path, &model));
                if answer.status == 200 {
                    begun += 1;
                    assert!(fails(&answer), "{model} {path} {cut}: {}", answer.body);
                } else {
                    // Nothing of an answer had come, so the failure has a status of its own.
                    assert!([502, 503].contains(&answer.status), "{model} {path} {cut}: {}", answer.body);
                }
            }
        }
        server.stop();
    }
    assert!(begun >= 40, "only {begun} answers had begun");
}

#[test]
fn an_error_before_the_answer_has_the_status_and_the_shape_of_the_dialect() {
    let providers = every_family(|family, _| {
        // A provider may repeat the key that it was shown.
        let shown =
            if family == ProviderFamily::Anthropic { format!("{KEY}-claude") } else { "all".to_owned() };
        let error = family.error(400, "invalid_request_error", &format!("odd {shown}"));
        HttpReply::new(400, error).header("content-type", "application/json")
    });
    let server = Server::start(&providers, "", &[]);
    for provider in &providers {
        for (path, _) in DIALECTS {
            let answer = server.post(path, &request(path, &format!("{}/m-1", provider.name)));
            assert_eq!(answer.status, 400, "{} {path}: {}", provider.name, answer.body);
            assert!(answer.json()["error"].is_object() || answer.json()["error"].is_string());
        }
    }
    let refused = server.post("/v1/messages", &request("/v1/messages", "claude/m-1"));
    assert!(refused.body.contains("odd [key]"), "{}", refused.body);
    let said = server.stop();
    assert!(!said.contains(KEY), "{said}");
}

#[test]
fn a_wait_that_a_provider_asks_for_is_passed_on() {
    let providers = every_family(|family, _| {
        HttpReply::new(429, family.error(429, "rate_limit_exceeded", "later")).header("retry-after", "17")
    });
    let server = Server::start(&providers, "", &[]);
    let answer = server.post("/v1/chat/completions", &request("/v1/chat/completions", "chat/m-1"));
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(answer.head.contains("retry-after: 17"), "{}", answer.head);
    assert_eq!(providers[0].server.requests().len(), 1, "nobody waits that long here");
    server.stop();
}
