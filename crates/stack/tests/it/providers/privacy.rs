//! What may not leave does not, whichever way it is asked for.

use std::fs;

use serde_json::{Value, json};
use stack_testkit::{HttpReply, HttpServer, Recording, Said};

use super::{Configured, KEY, Server, every_family};
use crate::stack::{command, stack};

/// Providers that would have to be asked elsewhere.
const ELSEWHERE: &str = "[providers.public]\nkind = \"openai\"\ninterface = \"chat\"\nbase = \"https://api.acme.test\"\n\
                         models = [\"m-1\"]\n[providers.inside]\nkind = \"vllm\"\nbase = \"https://169.254.169.254\"\n";

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "canary-prompt"}]})
}

fn openai(reply: impl Fn(&stack_testkit::HttpRequest) -> HttpReply + Send + Sync + 'static) -> Configured {
    Configured {
        name: "chat",
        kind: "openai",
        more: "interface = \"chat\"\n",
        server: HttpServer::start(reply),
    }
}

#[test]
fn refused_egress_is_a_403_that_names_the_tier_in_every_dialect_and_an_entry() {
    let server = Server::start(&[], &format!("[privacy]\ntier = \"private\"\n{ELSEWHERE}"), &[]);
    for (path, stream) in [
        ("/v1/chat/completions", true),
        ("/v1/messages", false),
        ("/api/chat", true),
        ("/api/v1/chat", false),
    ] {
        let mut request = chat("public/m-1");
        request["stream"] = stream.into();
        request["max_tokens"] = 5.into();
        let request = if path == "/api/v1/chat" { chat("public/m-1") } else { request };
        let answer = server.post(path, &request);
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        assert!(answer.body.contains("the tier private does not allow"), "{path}: {}", answer.body);
    }
    let response = server.post("/v1/responses", &json!({"model": "public/m-1", "input": "canary-prompt"}));
    assert_eq!(response.status, 403, "{}", response.body);
    assert!(!server.get("/v1/models").body.contains("public/m-1"), "what is never asked is not offered");
    let egress = server.egress();
    assert!(egress.contains("host-not-listed") && egress.contains("api.acme.test"), "{egress}");
    assert!(!egress.contains("canary"), "{egress}");
    server.stop();
}

#[test]
fn no_way_of_asking_raises_the_tier() {
    let server = Server::start(&[], &format!("[privacy]\ntier = \"private\"\n{ELSEWHERE}"), &[]);
    for tier in ["standard"] {
        let header = format!("x-stack-privacy: {tier}\r\n");
        for model in ["public/m-1", "public:m-1", "default"] {
            let answer = server.post_with("/v1/chat/completions", &header, &chat(model));
            assert_eq!(answer.status, 403, "{model}: {}", answer.body);
        }
        let embed = json!({"model": "default", "input": "a"});
        assert_eq!(server.post_with("/v1/embeddings", &header, &embed).status, 403);
        let count =
            json!({"model": "default", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]});
        assert_eq!(server.post_with("/v1/messages/count_tokens", &header, &count).status, 403);
    }
    for more in [json!({"privacy": "standard"}), json!({"provider": "public", "model": "m-1"})] {
        let mut request = chat("public/m-1");
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = server.post("/api/v1/chat", &request);
        assert_eq!(answer.status, 403, "{more}: {}", answer.body);
    }
    // Neither tools nor text nor unknown fields are looked at.
    let mut request = chat("public/m-1");
    request["tools"] = json!([{"type": "function", "function": {"name": "tier_standard", "parameters": {}}}]);
    request["tier"] = "standard".into();
    request["base_url"] = "http://127.0.0.1:1".into();
    assert_eq!(server.post("/v1/chat/completions", &request).status, 403);
    let odd = server.post_with("/v1/chat/completions", "x-stack-privacy: open\r\n", &chat("default"));
    assert_eq!(odd.status, 400, "{}", odd.body);
    server.stop();
}

#[test]
fn a_request_may_lower_the_tier_for_itself_alone() {
    let provider =
        openai(|_| Recording::of(stack_testkit::ProviderFamily::OpenaiChat, &[Said::Text("Yes")]).reply());
    let server = Server::start(std::slice::from_ref(&provider), ELSEWHERE, &[]);
    let lowered = "x-stack-privacy: sovereign\r\n";
    assert_eq!(server.post_with("/v1/chat/completions", lowered, &chat("public/m-1")).status, 403);
    assert_eq!(server.post_with("/v1/chat/completions", lowered, &chat("chat/m-1")).status, 200);
    // An address inside is no public interface under any tier.
    let inside = server.post("/v1/chat/completions", &chat("inside/x"));
    assert_eq!(inside.status, 403, "{}", inside.body);
    assert!(inside.body.contains("not a public address"), "{}", inside.body);
    assert_eq!(provider.server.requests().len(), 1);
    server.stop();
}

#[test]
fn media_are_not_fetched_and_not_named_to_who_would_fetch_them() {
    let inside = HttpServer::start(|_| HttpReply::new(200, "secret"));
    let providers = every_family(|family, _| Recording::of(family, &[Said::Text("Yes")]).reply());
    let server = Server::start(&providers, "", &[]);
    for provider in &providers {
        let url = json!({"url": inside.url("/a.png")});
        let content =
            json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]);
        let request = json!({"model": format!("{}/m-1", provider.name),
            "messages": [{"role": "user", "content": content}]});
        let answer = server.post("/v1/chat/completions", &request);
        assert_eq!(answer.status, 400, "{}: {}", provider.name, answer.body);
        assert!(provider.server.requests().is_empty());
    }
    assert!(inside.requests().is_empty());
    server.stop();
}

#[test]
fn keys_are_shown_to_nobody_but_their_provider() {
    let provider =
        openai(|_| Recording::of(stack_testkit::ProviderFamily::OpenaiChat, &[Said::Text("Yes")]).reply());
    let server = Server::start(std::slice::from_ref(&provider), "", &[]);
    assert_eq!(server.post("/v1/chat/completions", &chat("chat/m-1")).status, 200);
    let bearer = format!("Bearer {KEY}-chat");
    assert_eq!(provider.server.requests()[0].header("authorization"), Some(bearer.as_str()));
    let home = server.home.path().to_str().unwrap().to_owned();
    let shown = stack(&["config", "show", "--home", &home]).output();
    assert!(shown.contains("secret:chat-key") && !shown.contains(KEY), "{shown}");
    let arguments = fs::read(format!("/proc/{}/cmdline", server.child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(KEY));
    let egress = server.egress();
    assert!(egress.contains("loopback") && !egress.contains(KEY) && !egress.contains("canary"), "{egress}");
    let said = server.stop();
    assert!(!said.contains(KEY) && !said.contains("canary"), "{said}");
}

#[test]
fn a_provider_whose_key_is_missing_or_open_to_others_is_said_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().to_str().unwrap();
    let config = "[audit]\nenabled = false\n[providers.a]\nkind = \"xai\"\nkey = \"secret:NO_SUCH_KEY\"\n";
    fs::write(home.path().join("stack.toml"), config).unwrap();
    stack(&["serve", "--port", "0", "--home", place])
        .fails(3, &["error[no-secret]", "provider a", "secrets/NO_SUCH_KEY"]);
    fs::create_dir(home.path().join("secrets")).unwrap();
    fs::write(home.path().join("secrets/NO_SUCH_KEY"), KEY).unwrap();
    let ran = stack(&["serve", "--port", "0", "--home", place]);
    assert!(!ran.stderr.contains(KEY));
    ran.fails(7, &["error[readable-secret]", "chmod 600"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_sovereign_server_cannot_open_a_connection_and_says_how_it_is_held() {
    let server = Server::start(&[], "", &["--privacy", "sovereign"]);
    let level = server.get("/health").json()["lockdown"].clone();
    assert!(["E1", "E2", "E3"].map(Value::from).contains(&level), "{level}");
    let answer = server
        .post("/api/v1/chat", &json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}));
    assert_eq!(answer.json()["lineage"]["lockdown"], level, "{}", answer.body);
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let filtered = status.lines().find(|line| line.starts_with("Seccomp:")).unwrap();
    assert!(filtered.ends_with('2'), "{filtered}");
    let said = server.stop();
    assert!(said.contains(&format!("locked down at {}", level.as_str().unwrap())), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn to_go_without_a_lockdown_is_written_out_and_told() {
    let server = Server::start(&[], "[privacy]\nlockdown = \"off\"\n", &["--privacy", "sovereign"]);
    assert_eq!(server.get("/health").json()["lockdown"], "off");
    assert!(server.stop().contains("warning: the tier sovereign is not locked down, as stack.toml:2 says"));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("stack.toml"), "[audit]\nanchors = [\"syslog\"]\n").unwrap();
    let place = home.path().to_str().unwrap();
    let mut serve = command(&["serve", "--port", "0", "--privacy", "sovereign", "--home", place]);
    let output = serve.output().unwrap();
    assert_eq!(output.status.code(), Some(13), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_shows_what_each_tier_reaches_and_what_listed_names_lead_to() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().to_str().unwrap();
    let config = format!(
        "[privacy]\ntier = \"private\"\nhosts = [\"localhost:8000\", \"*.lan\", \"10.0.0.5\"]\n{ELSEWHERE}"
    );
    fs::write(home.path().join("stack.toml"), &config).unwrap();
    let report = stack(&["doctor", "privacy", "--json", "--home", place]).json();
    assert_eq!((&report["tier"], &report["lockdown"]["required"]), (&json!("private"), &json!("E1")));
    let public = &report["providers"][0];
    assert_eq!((&public["private"], &public["standard"]), (&Value::Null, &json!("public")), "{report}");
    let [local, beneath, literal] = [0, 1, 2].map(|at| &report["hosts"][at]);
    assert_eq!(local["addresses"][0], "127.0.0.1", "{report}");
    assert!(beneath["problem"].as_str().unwrap().contains("beneath"), "{report}");
    assert_eq!(literal["addresses"], json!(["10.0.0.5"]), "{report}");
    let shown = stack(&["doctor", "privacy", "--home", place]).output();
    assert!(shown.contains("lockdown   ") && shown.contains("private: refused, standard: public"), "{shown}");
    // Under sovereign, nobody is asked for names.
    fs::write(home.path().join("stack.toml"), config.replace("private", "sovereign")).unwrap();
    let report = stack(&["doctor", "privacy", "--json", "--home", place]).json();
    assert_eq!(report["hosts"][0]["problem"], "nobody is asked under this tier", "{report}");
}
