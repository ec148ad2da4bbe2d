//! Nothing leaves that may not, and what leaves or is refused is written down.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use stack_audit::{FullEntry, Log, Outcome, PayloadState, Phase, StreamId};
use stack_chat::{ChatRequest, Tier};
use stack_gateway::privacy::{EgressGate, EgressLog};
use stack_gateway::provider::{Provider, ProviderBase, ProviderOptions};
use stack_testkit::{HttpReply, HttpServer, ProviderFamily, Recording, Said, Step};

use super::support::{KEY, answer, ask, begin, log, next, options, policy, provider};

fn behind(options: ProviderOptions, tier: Tier, listed: &[&str], log: EgressLog) -> Arc<Provider> {
    Provider::new(options, Arc::new(EgressGate::new(policy(tier, listed), log)), || 1_800_000_000, 7)
}

/// The entries about what leaves: how they end and what they say, as text.
fn entries(folder: &Path) -> Vec<(Option<Outcome>, String)> {
    let log = Log::open(folder).unwrap();
    let full = log.entries(StreamId::named("gateway"), 1, 100).unwrap();
    let told = |full: FullEntry| {
        let outcome = match full.entry.phase {
            Phase::Effect { outcome, .. } => Some(outcome),
            Phase::Intent | Phase::Note => None,
        };
        let PayloadState::Present { bytes, .. } = full.payload else { return (outcome, String::new()) };
        (outcome, String::from_utf8(bytes).unwrap())
    };
    full.into_iter().map(told).collect()
}

#[test]
fn an_answer_has_its_entry_and_neither_prompt_nor_key_is_in_it() {
    let (folder, audit, log) = log();
    let recording = Recording::of(ProviderFamily::OpenaiChat, &[Said::Text("canary-answer")]);
    let server = HttpServer::start(move |_| recording.reply());
    let provider = behind(options(ProviderFamily::OpenaiChat, &server.url("/")), Tier::Sovereign, &[], log);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(answer(&provider, ask())), "canary-answer|stop|11+7");
    // The end is written when the caller has the answer, and before the program ends.
    drop((runtime, provider));
    audit.checkpoint().unwrap();
    let entries = entries(folder.path());
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries[0].1.contains("loopback") && entries[0].1.contains("acme"), "{entries:?}");
    assert_eq!(entries[1].0, Some(Outcome::Done));
    assert!(entries[1].1.contains("\"output\":7"), "{entries:?}");
    let all = format!("{entries:?}");
    assert!(!all.contains("canary") && !all.contains("\"Hi\"") && !all.contains(KEY), "{all}");
}

#[test]
fn silence_is_written_down_as_the_providers_failure() {
    let (folder, audit, log) = log();
    let server = HttpServer::start(|_| HttpReply::steps(200, [Step::Hang]));
    // Connections wait to be accepted, and nobody does.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    for base in [server.url("/"), format!("http://{}", mute.local_addr().unwrap())] {
        let options = options(ProviderFamily::OpenaiChat, &base);
        let provider = behind(options, Tier::Sovereign, &[], log.clone());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(answer(&provider, ask())), "!provider_timeout");
    }
    audit.checkpoint().unwrap();
    let outcomes: Vec<_> = entries(folder.path()).into_iter().filter_map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed; 2], "{:?}", entries(folder.path()));
}

#[tokio::test]
async fn a_refusal_names_the_tier_and_is_written_down_and_nothing_is_asked() {
    for (tier, asked, base, says) in [
        (Tier::Sovereign, None, "https://api.acme.test", "sovereign"),
        (Tier::Private, None, "https://api.acme.test", "private"),
        (Tier::Standard, Some(Tier::Private), "https://api.acme.test", "private"),
        (Tier::Standard, Some(Tier::Sovereign), "https://api.acme.test", "sovereign"),
        (Tier::Private, Some(Tier::Standard), "http://127.0.0.1:1", "private is the highest"),
        (Tier::Standard, None, "http://api.acme.test", "plain http"),
        (Tier::Standard, None, "https://169.254.169.254", "not a public address"),
        (Tier::Standard, None, "https://[::ffff:10.0.0.1]", "not a public address"),
        (Tier::Standard, None, "https://[fe80::1]", "not a public address"),
    ] {
        let (folder, audit, log) = log();
        let provider = behind(options(ProviderFamily::OpenaiChat, base), tier, &[], log);
        for _ in 0..3 {
            let mut stream = begin(&provider, ChatRequest { tier: asked, ..ask() }).unwrap();
            let failure = next(&mut stream).await.unwrap().unwrap_err();
            assert_eq!(failure.kind.as_str(), "policy_privacy_blocked", "{base} {failure:?}");
            assert!(failure.message.contains(says), "{base} {}", failure.message);
        }
        drop(provider);
        audit.checkpoint().unwrap();
        let entries = entries(folder.path());
        let denied = entries.iter().filter(|(outcome, _)| *outcome == Some(Outcome::Denied)).count();
        assert_eq!(denied, 1, "{base} {entries:?}");
        let last = &entries.last().unwrap().1;
        assert!(last.contains("\"repeats\":2"), "what is repeated is counted: {entries:?}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    // `localhost` by another name: whatever the resolver of this machine says, it is no public address.
    let server = HttpServer::start(|_| HttpReply::new(200, ""));
    let port = server.host().rsplit_once(':').unwrap().1.to_owned();
    for name in ["localhost.localdomain", "ip6-localhost"] {
        let base = format!("https://{name}:{port}");
        let provider = provider(options(ProviderFamily::OpenaiChat, &base), Tier::Standard);
        let told = answer(&provider, ask()).await;
        // Where the machine does not know the name, there is no connection either.
        assert!(
            ["!policy_privacy_blocked", "!provider_connection_failed"].contains(&told.as_str()),
            "{told}"
        );
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn odd_spellings_of_addresses_are_no_addresses() {
    for base in [
        "http://0x7f.0.0.1",
        "http://2130706433",
        "http://127.1",
        "http://0177.0.0.1",
        "http://127.0.0.1.",
        "http://user@127.0.0.1",
        "http://[::1%25lo]",
        "http://①②⑦.0.0.1",
    ] {
        assert!(ProviderBase::parse(base).is_err(), "{base}");
    }
}

#[tokio::test]
async fn redirects_are_errors_and_lead_nowhere() {
    let inside = HttpServer::start(|_| HttpReply::new(200, ""));
    let target = inside.url("/v1/chat/completions");
    for status in [301, 302, 303, 307, 308] {
        let location = target.clone();
        let server =
            HttpServer::start(move |_| HttpReply::new(status, "").header("location", location.as_str()));
        let provider = provider(options(ProviderFamily::OpenaiChat, &server.url("/")), Tier::Standard);
        assert_eq!(answer(&provider, ask()).await, "!provider_redirected", "{status}");
    }
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn speech_in_clear_is_no_tls() {
    let server = HttpServer::start(|_| HttpReply::new(200, ""));
    let base = server.url("/").replace("http://", "https://");
    let provider = provider(options(ProviderFamily::OpenaiChat, &base), Tier::Standard);
    assert_eq!(answer(&provider, ask()).await, "!provider_connection_failed");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_model_that_this_machine_forwards_to_a_cloud_is_no_model_of_this_machine() {
    for (tier, show, want, chats) in [
        (Tier::Sovereign, r#"{"details":{}}"#, "Yes|stop|11+7", 1),
        (Tier::Sovereign, r#"{"remote_host":"https://ollama.com"}"#, "!policy_privacy_blocked", 0),
        (Tier::Private, r#"{"remote_model":"big"}"#, "!policy_privacy_blocked", 0),
        (Tier::Private, "not json", "!policy_privacy_blocked", 0),
        (Tier::Standard, r#"{"remote_host":"https://ollama.com"}"#, "Yes|stop|11+7", 1),
    ] {
        let recording = Recording::of(ProviderFamily::Ollama, &[Said::Text("Yes")]);
        let server = HttpServer::start(move |request| match request.path() {
            "/api/show" => HttpReply::new(200, show).header("content-type", "application/json"),
            _ => recording.reply(),
        });
        let provider = provider(options(ProviderFamily::Ollama, &server.url("/")), tier);
        assert_eq!(answer(&provider, ask()).await, want, "{tier:?} {show}");
        let asked = server.requests();
        assert_eq!(asked.iter().filter(|request| request.path() == "/api/chat").count(), chats, "{tier:?}");
    }
    // What a reply says may differ from what was said before.
    let server = HttpServer::start(|request| {
        match request.path() {
        "/api/show" => HttpReply::new(200, "{}").header("content-type", "application/json"),
        _ => HttpReply::new(
            200,
            "{\"model\":\"m-1\",\"remote_host\":\"https://ollama.com\",\"message\":{\"content\":\"secret\"},\"done\":false}\n",
        )
        .header("content-type", "application/x-ndjson"),
    }
    });
    let provider = provider(options(ProviderFamily::Ollama, &server.url("/")), Tier::Sovereign);
    assert_eq!(answer(&provider, ask()).await, "!policy_privacy_blocked");
}

#[tokio::test]
async fn nothing_leaves_while_the_log_cannot_be_written() {
    let (_folder, audit, log) = log();
    let server = HttpServer::start(|_| HttpReply::new(200, ""));
    let provider = behind(options(ProviderFamily::OpenaiChat, &server.url("/")), Tier::Standard, &[], log);
    audit.close().unwrap();
    assert_eq!(answer(&provider, ask()).await, "!policy_privacy_blocked");
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}
