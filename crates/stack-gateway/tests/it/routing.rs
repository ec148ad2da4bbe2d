//! Aliases in front of a model of this process and of providers.

use std::sync::Arc;

use stack_chat::{ChatModel, Commit, Failure, FailureKind, Fallback, ModelCard, Prompt, Retry, Tier};
use stack_gateway::privacy::{EgressGate, EgressLog};
use stack_gateway::provider::Provider;
use stack_gateway::route::{Aliases, Facts, default_aliases};
use stack_gateway::routed::{EngineModels, EngineState, Gateway, OpenFuture, ProviderStatus};
use stack_testkit::{CheckedModel, HttpReply, HttpServer, ProviderFamily, Recording, Said, ScriptedModel};

use super::support::{KEY, ask, options, policy, told};

/// One model that runs here.
struct Here(Result<Arc<ScriptedModel>, Failure>);

impl EngineModels for Here {
    fn list(&self) -> Vec<EngineState> {
        let card =
            self.0.as_ref().ok().map(|model| ModelCard { id: "default".into(), ..model.card().clone() });
        vec![EngineState { id: "default".into(), card, depth: 0 }]
    }

    fn open(&self, _id: &str) -> OpenFuture {
        let model = self.0.clone().map(|model| model as Arc<dyn ChatModel>);
        Box::pin(std::future::ready(model))
    }
}

fn gateway(here: Result<Arc<ScriptedModel>, Failure>, server: &HttpServer, tier: Tier) -> Arc<Gateway> {
    let gate = Arc::new(EgressGate::new(policy(tier, &[]), EgressLog::Off));
    let mut options = options(ProviderFamily::Anthropic, &server.url("/"));
    "claude".clone_into(&mut options.name);
    let provider = Provider::new(options, gate, || 1_800_000_000, 7);
    let aliases = Aliases::new(Vec::new(), default_aliases()).unwrap();
    let gateway = Gateway::new(vec![provider], aliases, tier);
    gateway.lend_engine(Arc::new(Here(here)));
    gateway
}

fn claude() -> HttpServer {
    HttpServer::start(|_| Recording::of(ProviderFamily::Anthropic, &[Said::Text("Far")]).reply())
}

async fn answer(gateway: &Arc<Gateway>, alias: &str) -> String {
    match CheckedModel(Arc::new(gateway.alias(alias, false).unwrap())).chat(ask()) {
        Ok(stream) => told(stream).await,
        Err(failure) => format!("!{}", failure.kind.as_str()),
    }
}

fn here() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("default", &["Near"]))
}

#[tokio::test]
async fn every_name_that_promises_no_vendor_is_answered_here_without_any_configuration() {
    let aliases = Aliases::new(Vec::new(), default_aliases()).unwrap();
    let gateway = Gateway::new(Vec::new(), aliases, Tier::Standard);
    gateway.lend_engine(Arc::new(Here(Ok(here()))));
    for alias in ["local", "sovereign", "fast", "reason", "code", "cheap"] {
        assert!(answer(&gateway, alias).await.starts_with("Near|stop"), "{alias}");
    }
    for alias in ["gpt", "grok"] {
        assert_eq!(answer(&gateway, alias).await, "!gateway_no_route", "{alias}");
    }
    assert_eq!(gateway.engine_stand_in("embed").as_deref(), Some("default"));
}

#[tokio::test]
async fn one_provider_is_enough_for_what_no_model_here_can() {
    let server = claude();
    let gateway = gateway(Ok(here()), &server, Tier::Standard);
    assert!(answer(&gateway, "reason").await.starts_with("Far|stop"));
    assert!(answer(&gateway, "cheap").await.starts_with("Near|stop"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_model_here_that_has_no_room_is_stood_in_for() {
    let full = Failure::new(FailureKind::QueueFull, "full");
    let server = claude();
    assert!(
        answer(&gateway(Err(full.clone()), &server, Tier::Standard), "cheap").await.starts_with("Far|stop")
    );
    // What stays here stays here, whoever has room elsewhere.
    let sovereign = gateway(Err(full), &server, Tier::Standard);
    assert_eq!(answer(&sovereign, "local").await, "!gateway_queue_full");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn who_wants_no_fallback_gets_the_first_error() {
    let full = Failure::new(FailureKind::QueueFull, "full");
    let server = claude();
    let gateway = gateway(Err(full), &server, Tier::Standard);
    let mut request = ask();
    request.routing.fallback = Fallback::Off;
    let mut stream = gateway.alias("cheap", false).unwrap().chat(request).unwrap();
    let failure = super::support::next(&mut stream).await.unwrap().unwrap_err();
    assert_eq!((failure.kind, failure.retry), (FailureKind::QueueFull, FailureKind::QueueFull.retry()));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn when_all_fail_the_first_error_is_told_with_who_else_was_asked() {
    let server = HttpServer::start(|_| HttpReply::new(500, "{}"));
    let gateway = gateway(Err(Failure::new(FailureKind::Overloaded, "busy")), &server, Tier::Standard);
    let mut stream = gateway.alias("cheap", false).unwrap().chat(ask()).unwrap();
    let failure = super::support::next(&mut stream).await.unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Overloaded);
    assert!(
        failure.message.starts_with("busy (asked engine/default first, then claude/"),
        "{}",
        failure.message
    );
    assert!(failure.message.contains("provider_server_error"), "{}", failure.message);
}

#[tokio::test]
async fn a_prompt_that_is_no_conversation_is_continued_here() {
    let server = claude();
    let gateway = gateway(Ok(here()), &server, Tier::Standard);
    let mut request = ask();
    request.prompt = Prompt::Text("Once".into());
    request.routing.commit = Some(Commit::Proof);
    let stream = gateway.alias("reason", false).unwrap().chat(request).unwrap();
    assert!(told(stream).await.starts_with("Near|stop"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_dry_decision_asks_nobody() {
    let server = claude();
    let gateway = gateway(Ok(here()), &server, Tier::Private);
    let decision = gateway.decide("reason", &Facts { tier: Tier::Sovereign, ..Facts::any() }).unwrap();
    let asked: Vec<_> = decision.asked().map(|candidate| candidate.target.name()).collect();
    assert_eq!(asked.first().map(String::as_str), Some("claude/claude-opus-4-5"), "it is on this machine");
    assert_eq!(asked.last().map(String::as_str), Some("engine/default"));
    assert_eq!(gateway.decide("resaon", &Facts::any()), Err(vec!["reason".to_owned()]));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn health_is_what_was_seen_and_a_bad_key_is_told_without_it() {
    let server = HttpServer::start(|_| {
        let body = ProviderFamily::Anthropic.error(401, "authentication_error", &format!("bad {KEY}"));
        HttpReply::new(401, body).header("content-type", "application/json")
    });
    let gateway = gateway(Ok(here()), &server, Tier::Standard);
    assert_eq!(gateway.health()[0].status, ProviderStatus::Unknown);
    let probed = &gateway.probe().await[0];
    assert_eq!(probed.status, ProviderStatus::Unreachable);
    let (kind, message) = probed.last_error.as_ref().unwrap();
    assert_eq!(*kind, "provider_auth_failed");
    assert!(!message.contains(KEY), "{message}");
    assert_eq!(server.requests()[0].path(), "/v1/models");
    let well = HttpServer::start(|_| HttpReply::new(200, "{\"data\":[]}"));
    let gateway = self::gateway(Ok(here()), &well, Tier::Standard);
    assert_eq!(gateway.probe().await[0].status, ProviderStatus::Healthy);
}

#[tokio::test]
async fn a_route_that_asks_for_rest_is_left_alone_and_told_when() {
    let server = HttpServer::start(|_| {
        let body = ProviderFamily::Anthropic.error(429, "rate_limit_error", "later");
        HttpReply::new(429, body).header("retry-after", "17")
    });
    let gateway = gateway(Ok(here()), &server, Tier::Standard);
    let asked = || gateway.provider_model("claude/m-1").unwrap().chat(ask());
    assert!(told(asked().unwrap()).await.ends_with("!provider_rate_limited"));
    let failure = asked().err().unwrap();
    let Retry::After(wait) = failure.retry else { panic!("{failure:?}") };
    assert_eq!(failure.kind, FailureKind::ProviderRateLimited);
    assert!((10..=17).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(server.requests().len(), 1);
}
