//! Aliases in front of two providers, one of which fails, asked as clients of every dialect ask.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stack_testkit::{HttpReply, HttpServer, ProviderFamily, Recording, Said};

use super::{Configured, KEY, Server};
use crate::stack::{Ran, stack};

const CHAT: ProviderFamily = ProviderFamily::OpenaiChat;
const ALIASES: &str = "[aliases]\n\"claude-*\" = \"both\"\nboth = [\"one/m-1\", \"two/m-1\"]\n";

fn provider(name: &'static str, reply: impl Fn(usize) -> HttpReply + Send + Sync + 'static) -> Configured {
    let count = AtomicUsize::new(0);
    let server = HttpServer::start(move |_| reply(count.fetch_add(1, Ordering::Relaxed)));
    Configured { name, kind: "openai", more: "interface = \"chat\"\n", server }
}

fn says(text: &'static str) -> HttpReply {
    Recording::of(CHAT, &[Said::Text(text), Said::Text("!")]).reply()
}

fn fails(status: u16, word: &str) -> HttpReply {
    HttpReply::new(status, CHAT.error(status, word, "no")).header("content-type", "application/json")
}

fn request(path: &str, model: &str, stream: bool) -> Value {
    let mut request = json!({"model": model, "stream": stream, "max_tokens": 64});
    let name = if path == "/v1/responses" { "input" } else { "messages" };
    request[name] = json!([{"role": "user", "content": "Hi"}]);
    request
}

/// Asks the server, as somebody on this machine does.
fn asks(server: &Server, arguments: &[&str]) -> Ran {
    let home = server.home.path().to_str().unwrap();
    let port = server.address.rsplit_once(':').unwrap().1;
    stack(&[arguments, &["--port", port, "--home", home]].concat())
}

#[test]
fn no_client_sees_a_difference_when_one_of_two_fails_at_random() {
    // Two of three fail, in no order that a client could know.
    let providers = [
        provider("one", |number| match (number * 7 + 3) % 5 {
            0 | 3 => says("One"),
            1 => fails(500, "internal"),
            _ => Recording::of(CHAT, &[Said::Text("x")]).cut_after(1),
        }),
        provider("two", |_| says("Two")),
    ];
    let server = Server::start(&providers, ALIASES, &[]);
    let mut answered = [0, 0];
    for round in 0..3 {
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat"] {
            for stream in [false, true] {
                let model = if round == 0 { "both" } else { "claude-sonnet" };
                let answer = server.post(path, &request(path, model, stream));
                assert_eq!((answer.status, answer.is_whole), (200, true), "{path}: {}", answer.body);
                let is_two = answer.body.contains("Two");
                assert!(is_two || answer.body.contains("One"), "{path}: {}", answer.body);
                answered[usize::from(is_two)] += 1;
                let route = if is_two { "two/m-1" } else { "one/m-1" };
                assert!(answer.body.contains(route), "the model that answered is told: {}", answer.body);
                assert!(answer.head.contains(&format!("x-stack-route: {route}")), "{}", answer.head);
                assert!(answer.head.contains("x-stack-tier: standard"), "{}", answer.head);
                assert!(!answer.body.contains("\"error\":{"), "{path}: {}", answer.body);
            }
        }
    }
    assert!(answered[1] > 0, "{answered:?}");
    let said = server.stop();
    assert!(!said.contains(KEY), "{said}");
}

#[test]
fn without_any_configuration_aliases_are_answered_here() {
    let server = Server::start(&[], "", &[]);
    for alias in ["local", "fast", "reason", "code", "cheap", "sovereign"] {
        let mut body = request("/v1/chat/completions", alias, false);
        body["max_tokens"] = 4.into();
        let answer = server.post("/v1/chat/completions", &body);
        assert_eq!(answer.status, 200, "{alias}: {}", answer.body);
        assert_eq!(answer.json()["model"], "default", "{alias}");
        assert!(answer.head.contains("x-stack-route: engine/default"), "{}", answer.head);
        assert!(answer.head.contains("x-stack-attempts: 1"), "{}", answer.head);
    }
    let answer = server.post("/v1/embeddings", &json!({"model": "embed", "input": "Hi"}));
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("default")), "{}", answer.body);
    let promised = server.post("/v1/chat/completions", &request("/v1/chat/completions", "gpt", false));
    assert_eq!(promised.status, 503, "{}", promised.body);
    assert!(promised.body.contains("no provider of the kind openai is configured"), "{}", promised.body);
    let typo = server.post("/v1/chat/completions", &request("/v1/chat/completions", "resaon", false));
    assert!(typo.status == 404 && typo.body.contains("did you mean reason?"), "{}", typo.body);
    asks(&server, &["health"]).output();
    server.stop();
}

#[test]
fn a_cut_is_explicit_or_rescued_as_the_header_says() {
    let cut = |_| Recording::of(CHAT, &[Said::Text("Hel"), Said::Text("lo")]).cut_after(3);
    let providers = [provider("one", cut), provider("two", |_| says("Two"))];
    let server = Server::start(&providers, ALIASES, &[]);
    let path = "/v1/chat/completions";
    let answer = server.post(path, &request(path, "both", true));
    assert!(answer.status == 200 && answer.body.contains("\"error\"") && !answer.body.contains("Two"));
    assert!(!answer.is_whole && !answer.body.contains("[DONE]"), "{}", answer.body);
    let alone = server.post_with(path, "x-stack-fallback: off\r\n", &request(path, "both", false));
    assert_eq!(alone.status, 502, "{}", alone.body);
    let answer = server.post_with(path, "x-stack-commit: proof\r\n", &request(path, "both", true));
    assert!(
        answer.is_whole && answer.body.contains("Two") && !answer.body.contains("Hel"),
        "{}",
        answer.body
    );
    assert!(answer.head.contains("x-stack-attempts: "), "{}", answer.head);
    // Who gets it as a whole has seen nothing of the first.
    let answer = server.post(path, &request(path, "both", false));
    assert!(answer.status == 200 && answer.body.contains("Two"), "{}", answer.body);
    let wrong = server.post_with(path, "x-stack-commit: never\r\n", &request(path, "both", false));
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    server.stop();
}

#[test]
fn routes_lineages_and_circuits_are_seen_and_a_circuit_stays_open_over_a_restart() {
    let providers = [provider("one", |_| fails(401, "invalid_api_key")), provider("two", |_| says("Two"))];
    let server = Server::start(&providers, ALIASES, &[]);
    let dry = asks(&server, &["route", "both", "--json"]).json();
    let routes: Vec<_> =
        dry["candidates"].as_array().unwrap().iter().map(|one| one["route"].as_str().unwrap()).collect();
    assert_eq!(routes, ["one/m-1", "two/m-1"]);
    assert!(providers.iter().all(|provider| provider.server.requests().is_empty()), "nobody was asked");
    asks(&server, &["route", "bth"]).fails(3, &["did you mean both?"]);
    let path = "/v1/chat/completions";
    let answer = server.post_with(path, "x-request-id: r-1\r\n", &request(path, "both", false));
    assert!(answer.body.contains("Two"), "{}", answer.body);
    let lineage = asks(&server, &["lineage", "r-1", "--json"]).json();
    assert_eq!((&lineage["alias"], &lineage["model"]), (&json!("both"), &json!("two/m-1")), "{lineage}");
    assert_eq!(lineage["attempts"][0]["failure"], "provider_auth_failed");
    assert_eq!(lineage["usage"]["output"], 7);
    assert!(asks(&server, &["lineage", "r-1"]).output().contains("one/m-1: provider_auth_failed"));
    asks(&server, &["lineage", "r-2"]).fails(3, &["r-2"]);
    // A refused key rests the provider, and somebody who has paid closes its circuit.
    let circuits = asks(&server, &["circuit", "list", "--json"]).json();
    assert_eq!(circuits["circuits"]["one"]["state"], "open");
    asks(&server, &["circuit", "reset", "one"]).output();
    asks(&server, &["circuit", "open", "two/m-1", "--reason", "too dear"]).output();
    asks(&server, &["circuit", "open", "three"]).fails(3, &["one, two"]);
    let health = asks(&server, &["providers", "--json"]).json();
    assert_eq!(health["providers"]["two"]["status"], "healthy");
    let server = server.again(&[]);
    let circuits = server.get("/api/v1/circuit").json();
    let held = &circuits["circuits"]["two/m-1"];
    assert_eq!((&held["state"], &held["reason"]), (&json!("open"), &json!("too dear")), "{circuits}");
    assert_eq!(circuits["circuits"]["one"]["state"], "closed");
    asks(&server, &["circuit", "close", "two/m-1"]).output();
    let probed = asks(&server, &["health"]).output();
    assert!(probed.contains("provider_auth_failed") && !probed.contains(KEY), "{probed}");
    server.stop();
}
