//! A provider that is scripted, and what comes of asking it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use stack_audit::{Actor, Audit, AuditOptions, key};
use stack_chat::{ChatEvent, ChatModel, ChatRequest, EventStream, Failure, Message, PartKind, Prompt, Tier};
use stack_gateway::RetryOptions;
use stack_gateway::privacy::{EgressGate, EgressLog, EgressPolicy, HostPattern};
use stack_gateway::provider::{
    Interface, Provider, ProviderBase, ProviderKey, ProviderKind, ProviderOptions, StreamTimeouts,
};
use stack_testkit::{CheckedModel, HttpReply, HttpRequest, HttpServer, ProviderFamily};

/// How a provider of each family is configured.
pub(crate) fn kind(family: ProviderFamily) -> (ProviderKind, Interface) {
    match family {
        ProviderFamily::OpenaiChat => (ProviderKind::Openai, Interface::Chat),
        ProviderFamily::OpenaiResponses => (ProviderKind::Openai, Interface::Responses),
        ProviderFamily::Anthropic => (ProviderKind::Anthropic, Interface::Chat),
        ProviderFamily::Gemini => (ProviderKind::Gemini, Interface::Chat),
        ProviderFamily::Ollama => (ProviderKind::Ollama, Interface::Chat),
    }
}

/// A provider called `acme` at this address, whose timeouts are short.
pub(crate) fn options(family: ProviderFamily, base: &str) -> ProviderOptions {
    let (kind, interface) = kind(family);
    let timeouts = StreamTimeouts {
        first_output: Duration::from_millis(400),
        idle: Duration::from_millis(300),
        stall: Duration::from_millis(600),
        total: Duration::from_secs(20),
        linger: Duration::from_millis(200),
    };
    let base = ProviderBase::parse(base).unwrap();
    let retries = RetryOptions { wait_first: Duration::from_millis(1), ..RetryOptions::default() };
    ProviderOptions {
        interface,
        retries,
        key: ProviderKey::new(KEY),
        timeouts,
        ..ProviderOptions::new("acme", kind, base)
    }
}

pub(crate) fn policy(tier: Tier, listed: &[&str]) -> EgressPolicy {
    let listed = listed.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
    EgressPolicy { tier, offline: false, listed, proxy: None }
}

/// A provider behind a gate that writes nothing down.
pub(crate) fn provider(options: ProviderOptions, tier: Tier) -> Arc<Provider> {
    let gate = Arc::new(EgressGate::new(policy(tier, &[]), EgressLog::Off));
    Provider::new(options, gate, || 1_800_000_000, 7)
}

/// A log in a folder that is gone after the test.
pub(crate) fn log() -> (tempfile::TempDir, Audit, EgressLog) {
    let folder = tempfile::tempdir().unwrap();
    let random = |bytes: &mut [u8]| bytes.fill(7);
    let signing = key::read_or_make(&key::default_path(folder.path()), &random).unwrap();
    let options = AuditOptions::new(signing, Box::new(|| 1_800_000_000_000), Box::new(random));
    let audit = Audit::open(folder.path(), options).unwrap();
    let log = EgressLog::Kept { audit: audit.clone(), actor: Actor::new("user:test").unwrap() };
    (folder, audit, log)
}

pub(crate) fn ask() -> ChatRequest {
    ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]))
}

/// Begins an answer of the model `m-1`, whose events are held to their grammar.
pub(crate) fn begin(provider: &Arc<Provider>, request: ChatRequest) -> Result<EventStream, Failure> {
    CheckedModel(Arc::new(provider.model("m-1").unwrap())).chat(request)
}

pub(crate) async fn next(stream: &mut EventStream) -> Option<Result<ChatEvent, Failure>> {
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// Asks, and writes down what is answered: text as it is, thoughts in braces, calls with their arguments, and the end.
pub(crate) async fn answer(provider: &Arc<Provider>, request: ChatRequest) -> String {
    match begin(provider, request) {
        Ok(stream) => told(stream).await,
        Err(failure) => format!("!{}", failure.kind.as_str()),
    }
}

pub(crate) async fn told(mut stream: EventStream) -> String {
    let mut told = String::new();
    let mut thinks = false;
    while let Some(event) = next(&mut stream).await {
        match event {
            Ok(ChatEvent::PartStarted { kind, .. }) => match kind {
                PartKind::ToolCall { name, .. } => told.extend(["<", &name, ">"]),
                PartKind::Thinking => {
                    thinks = true;
                    told.push('{');
                }
                PartKind::Text | PartKind::Refusal => {}
            },
            Ok(ChatEvent::PartEnded { .. }) if thinks => {
                thinks = false;
                told.push('}');
            }
            Ok(ChatEvent::Delta(delta)) => told.push_str(delta.fragment.as_str()),
            Ok(ChatEvent::Finished { reason, .. }) => told.extend(["|", reason.name()]),
            Ok(ChatEvent::Done { usage, .. }) => {
                let (read, said) = (usage.prompt().to_string(), usage.generated().to_string());
                told.extend(["|", &read, "+", &said]);
            }
            Ok(_) => {}
            Err(failure) => told.extend(["!", failure.kind.as_str()]),
        }
    }
    told
}

/// Starts a server that answers every request like that, and a provider that it is.
pub(crate) fn scripted(
    family: ProviderFamily,
    reply: impl Fn(&HttpRequest) -> HttpReply + Send + Sync + 'static,
) -> (HttpServer, Arc<Provider>) {
    let server = HttpServer::start(reply);
    let provider = provider(options(family, &server.url("/")), Tier::Standard);
    (server, provider)
}

/// The key of all providers in these tests.
pub(crate) const KEY: &str = "sk-canary-0123456789";
