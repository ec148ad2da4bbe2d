//! Providers that have renamed something: a file in the home makes them understood again, while the server runs.

use std::fs;

use serde_json::{Value, json};
use stack_testkit::{HttpReply, HttpServer, ProviderFamily, Recording, Said};

use super::{Configured, Server};
use crate::stack::stack;

fn ask(model: &str) -> Value {
    json!({"model": model, "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]})
}

/// The built-in spec of a provider, as its next version and with these parts in place of its own.
fn next_version(provider: &str, parts: &Value) -> Value {
    let shown = stack(&["adapters", "show", provider, "--json"]).output();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let mut spec = shown[0]["spec"].clone();
    spec["version"] = 2.into();
    spec.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    spec
}

/// Puts a file into the folder of a server's adapters, whole.
fn write(server: &Server, file: &str, text: &str) {
    let folder = server.home.path().join("adapters");
    fs::create_dir_all(folder.join("recordings")).unwrap();
    fs::write(folder.join(".new"), text).unwrap();
    fs::rename(folder.join(".new"), folder.join(file)).unwrap();
}

#[test]
fn a_renamed_field_is_a_line_of_data() {
    let renamed = |_: &_| {
        let mut recording =
            Recording::of(ProviderFamily::OpenaiChat, &[Said::Thought("Hm"), Said::Text("Yes")]);
        for record in &mut recording.records {
            *record = record.replace("reasoning_content", "thought");
        }
        recording.reply()
    };
    let gpu = Configured { name: "gpu", kind: "vllm", more: "", server: HttpServer::start(renamed) };
    let providers = [gpu];
    let mut server = Server::start(&providers, "", &[]);
    let said = |server: &Server| {
        let message =
            server.post("/v1/chat/completions", &ask("gpu/m-1")).json()["choices"][0]["message"].clone();
        (message["reasoning_content"].clone(), message["content"].clone())
    };
    assert_eq!(said(&server), (Value::Null, json!("Yes")), "the thought is lost with version 1");

    let recording = json!({"recording": 1, "reply": [
        {"choices": [{"index": 0, "delta": {"thought": "Hm"}}]},
        {"choices": [{"index": 0, "delta": {"content": "Yes"}, "finish_reason": "stop"}]},
    ], "gives": {"thinking": "Hm", "text": "Yes", "finish": "stop", "usage": {}}});
    write(&server, "recordings/gpu-thought.json", &recording.to_string());
    let ops = json!([{"op": "coalesce", "to": "/choices/*/delta/reasoning_content",
        "from": ["/choices/*/delta/reasoning_content", "/choices/*/delta/reasoning", "/choices/*/delta/thought"]}]);
    let mut spec = next_version("vllm", &json!({"events": {"ops": ops}}));
    spec["examples"].as_array_mut().unwrap().push("gpu-thought".into());
    write(&server, "vllm.json", &spec.to_string());
    server.hear("other adapters are in force now");
    assert_eq!(said(&server), (json!("Hm"), json!("Yes")));

    // What is wrong changes nothing, and is told.
    write(
        &server,
        "wrong.json",
        r#"{"spec":1,"provider":"gpu","version":1,"family":"openai_chat","host":"evil.test"}"#,
    );
    server.hear("the server goes on with the adapters that it had");
    assert!(server.said.contains("wrong.json: "), "{}", server.said);
    assert_eq!(said(&server), (json!("Hm"), json!("Yes")));
    let listed = stack(&["adapters", "list", "--home", server.home.path().to_str().unwrap()]);
    assert_eq!(listed.code, 4, "{}", listed.stderr);

    let log = server.egress();
    assert!(log.contains("gateway.adapter") && log.contains("sha256:") && log.contains("vllm.json"), "{log}");

    // Whoever starts while the folder is bad goes on with the last good one.
    let home = std::mem::replace(&mut server.home, tempfile::tempdir().unwrap());
    server.stop();
    let server = Server::open(home, &[]);
    assert!(server.said.contains("the last good ones of this folder"), "{}", server.said);
    assert_eq!(said(&server), (json!("Hm"), json!("Yes")));
    server.stop();
}

#[test]
fn a_refused_parameter_is_a_line_of_data() {
    let strict = |request: &stack_testkit::HttpRequest| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body.get("temperature").is_some() {
            let message = "temperature: Extra inputs are not permitted";
            return HttpReply::new(
                400,
                ProviderFamily::Anthropic.error(400, "invalid_request_error", message),
            );
        }
        Recording::of(ProviderFamily::Anthropic, &[Said::Text("Yes")]).reply()
    };
    let claude =
        Configured { name: "claude", kind: "anthropic", more: "", server: HttpServer::start(strict) };
    let providers = [claude];
    let mut server = Server::start(&providers, "", &[]);
    let refused = server.post("/v1/chat/completions", &ask("claude/m-1"));
    assert_eq!(refused.status, 400, "{}", refused.body);

    let request = json!([{"op": "drop", "at": "/temperature", "when": {"model": "m-*"}}]);
    let recording = json!({"recording": 1, "asks": ask("m-1"),
        "sends": {"model": "m-1", "messages": [{"role": "user", "content": "Hi"}]}});
    write(&server, "recordings/no-temperature.json", &recording.to_string());
    // The built-in example asks with a temperature, which leaves no more.
    let spec = next_version(
        "anthropic",
        &json!({"request": request, "examples": ["no-temperature", "anthropic-call"]}),
    );
    write(&server, "anthropic.json", &spec.to_string());
    server.hear("other adapters are in force now");
    let answer = server.post("/v1/chat/completions", &ask("claude/m-1"));
    assert_eq!((answer.status, &answer.json()["choices"][0]["message"]["content"]), (200, &json!("Yes")));
    assert!(
        answer.head.contains("x-stack-ignored: temperature"),
        "what was left out is told: {}",
        answer.head
    );
    server.stop();
}
