//! One request and its reply.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack_chat::{ChatEvent, Failure, FailureKind, Tier};
use stack_wire::Delivery;
use stack_wire::provider::{ErrorReply, Family, Header, ProviderRequest, ReplyReader};
use tokio::time::timeout_at;

use super::call::Call;
use super::driven::Outlet;
use super::hold::Hold;
use super::timer::{Overdue, StreamTimer};
use super::{Provider, StreamTimeouts};
use crate::privacy::EgressPermit;
use crate::transport::{HttpRequest, Reply, TransportErrorKind};

/// One request and its reply.
pub(super) struct Attempt<'a> {
    pub(super) call: &'a Call,
    unique: &'a str,
    timer: StreamTimer,
    status: Option<u16>,
    received: u64,
}

impl<'a> Attempt<'a> {
    /// Begins an attempt that must be over at `ends`.
    pub(super) fn new(call: &'a Call, unique: &'a str, ends: Instant) -> Self {
        let mut timeouts: StreamTimeouts = call.provider.options.timeouts;
        if let Some(patience) = call.patience {
            timeouts.first_output = timeouts.first_output.min(patience);
        }
        if call.thinks {
            // What is thought is not always shown.
            let longest = THINKING_MAX.max(timeouts.first_output);
            timeouts.first_output = timeouts.first_output.saturating_mul(6).min(longest);
        }
        if let Some(linger) = call.route.adapter.as_ref().and_then(|adapter| adapter.linger()) {
            timeouts.linger = linger;
        }
        let timer = StreamTimer::start(timeouts, ends, Instant::now());
        Self { call, unique, timer, status: None, received: 0 }
    }

    /// The status of the reply, if there was one.
    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Asks, and hands the events of the answer on.
    pub(super) async fn run(&mut self, hold: &mut Hold, outlet: &Outlet) -> Result<(), Failure> {
        if self.must_stay() {
            self.refuse_forwarded().await?;
        }
        let mut reply = self.ask(self.call.chat_request()?).await?;
        let entry = reply.take_entry();
        let (read, usage) = self.read(&mut reply, hold, outlet).await;
        let mut about = json!({"status": self.status, "bytes_received": self.received, "usage": usage});
        match &read {
            Ok(()) => entry.done(about),
            Err(failure) => {
                about["failure"] = failure.kind.as_str().into();
                entry.failed(about);
            }
        }
        read
    }

    /// Whether a server on this machine or a listed host must not send the prompt on to somebody else.
    pub(super) fn must_stay(&self) -> bool {
        let ceiling = self.provider().gate.policy().tier;
        let tier = self.call.tier.unwrap_or(ceiling).min(ceiling);
        tier < Tier::Standard && self.call.route.family == Family::Ollama
    }

    pub(super) fn provider(&self) -> &'a Arc<Provider> {
        &self.call.provider
    }

    /// When to give up.
    pub(super) fn due(&self) -> Instant {
        self.timer.due().0
    }

    /// Sends a request, for a permit of its own, and waits for the head of the reply.
    pub(super) async fn ask(&mut self, request: HttpRequest) -> Result<Reply, Failure> {
        let permit = self.permit().await?;
        let opened = self.provider().transport.open(permit, request, self.due()).await;
        let reply = opened.map_err(|error| error.into_failure(&self.provider().options.name))?;
        self.timer.heard(Instant::now());
        self.status = Some(reply.status());
        Ok(reply)
    }

    /// Asks for leave. That may take as long as the disk takes, so it is asked where it holds nobody up.
    async fn permit(&self) -> Result<EgressPermit, Failure> {
        let provider = Arc::clone(self.provider());
        let (model, tier) = (self.call.route.model.clone(), self.call.tier);
        let permit =
            tokio::task::spawn_blocking(move || provider.gate.permit(&provider.request(&model, tier)));
        let permit = permit.await.map_err(|_panicked| Failure::internal("the gate panicked"))?;
        Ok(permit?)
    }

    /// Reads the reply, and says what was counted in it.
    async fn read(
        &mut self,
        reply: &mut Reply,
        hold: &mut Hold,
        outlet: &Outlet,
    ) -> (Result<(), Failure>, Value) {
        if !(200..300).contains(&reply.status()) {
            return (Err(self.refusal(reply).await), Value::Null);
        }
        let request = match self.framed(reply) {
            Ok(request) => request,
            Err(failure) => return (Err(failure), Value::Null),
        };
        let mut reader = ReplyReader::new(&self.call.route, &request, self.unique);
        let read = self.events(reply, &mut reader, hold, outlet).await;
        let usage = reader.facts().usage.map(|usage| {
            json!({"input": usage.prompt(), "output": usage.generated(), "cache_read": usage.cache_read})
        });
        (read, usage.into())
    }

    /// Decides by its media type how a reply is cut: some answer a request for a stream whole, and most errors come so.
    fn framed(&self, reply: &Reply) -> Result<ProviderRequest, Failure> {
        let request = &self.call.request;
        let wrong = |what: &str| {
            let message = format!("{} answered with {what}", self.provider().options.name);
            Err(Failure::new(FailureKind::StreamMalformed, message))
        };
        if reply.header("content-encoding").is_some_and(|coding| coding != "identity") {
            return wrong("a compressed body, which was not asked for");
        }
        let media = reply.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "" | "text/event-stream" | "application/x-ndjson" => Ok(request.clone()),
            // Ollama's lines may come under this name, too.
            "application/json" if self.call.route.family == Family::Ollama => Ok(request.clone()),
            "application/json" => Ok(ProviderRequest { delivery: Delivery::Whole, ..request.clone() }),
            _ => wrong("something that is neither a stream of events nor JSON"),
        }
    }

    async fn events(
        &mut self,
        reply: &mut Reply,
        reader: &mut ReplyReader,
        hold: &mut Hold,
        outlet: &Outlet,
    ) -> Result<(), Failure> {
        loop {
            let (at, overdue) = self.timer.due();
            let events = match timeout_at(at.into(), reply.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    self.timer.heard(Instant::now());
                    self.received += piece.as_ref().len() as u64;
                    reader.push(piece.as_ref())
                }
                Ok(Err(error)) if !reader.is_proven() => return Err(self.cut(error.kind, &error.to_string())),
                Err(_elapsed) if overdue != Overdue::Rest => return Err(self.overdue(overdue)),
                // The end, or what is as good as one behind a complete answer.
                Ok(Ok(None) | Err(_)) | Err(_) => reader.end(),
            };
            if let Some(host) = &reader.facts().forwarded_to
                && self.must_stay()
            {
                return Err(self.forwarded(host));
            }
            for event in events {
                let event = event?;
                let is_last = matches!(event, ChatEvent::Done { .. });
                for event in hold.push(event)? {
                    if matches!(event, ChatEvent::Delta(_) | ChatEvent::PartStarted { .. }) {
                        self.timer.output(Instant::now());
                    }
                    if outlet.send(Ok(event)).await.is_err() {
                        return Err(Failure::new(FailureKind::Cancelled, "the caller has left"));
                    }
                }
                if is_last {
                    return Ok(());
                }
            }
            if reader.is_proven() {
                self.timer.proven(Instant::now());
            }
        }
    }

    /// Reads a reply that is no answer, as far as that is worth it.
    async fn refusal(&mut self, reply: &mut Reply) -> Failure {
        let (at, _) = self.timer.due();
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES_MAX
            && let Ok(Ok(Some(piece))) = timeout_at(at.into(), reply.chunk()).await
        {
            body.extend_from_slice(piece.as_ref());
        }
        self.received += body.len() as u64;
        let headers: Vec<_> = reply
            .headers()
            .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
            .collect();
        let reply = ErrorReply { status: reply.status(), headers: &headers, body: &body };
        reply.failure(&self.call.route, (self.provider().clock)())
    }

    fn cut(&self, kind: TransportErrorKind, cause: &str) -> Failure {
        let name = &self.provider().options.name;
        let (kind, message) = match kind {
            TransportErrorKind::Broken | TransportErrorKind::Unreachable => {
                (FailureKind::StreamTruncated, format!("the answer of {name} broke off"))
            }
            _ => (FailureKind::StreamMalformed, format!("the answer of {name} cannot be read")),
        };
        let mut failure = Failure::new(kind, message);
        failure.cause = Some(cause.to_owned());
        failure
    }

    fn overdue(&self, overdue: Overdue) -> Failure {
        let name = &self.provider().options.name;
        match overdue {
            Overdue::Answer(FailureKind::StreamStalled) => {
                Failure::new(FailureKind::StreamStalled, format!("the answer of {name} stood still"))
            }
            Overdue::Answer(_) | Overdue::Rest => {
                Failure::new(FailureKind::Timeout, format!("{name} did not answer in time"))
            }
        }
    }
}

impl Call {
    /// Returns the request as it is sent.
    fn chat_request(&self) -> Result<HttpRequest, Failure> {
        let ProviderRequest { path, headers, body, .. } = &self.request;
        self.http_request(path, headers, body)
    }

    /// Makes a request of a path, headers and a body.
    pub(super) fn http_request(
        &self,
        path: &str,
        headers: &[Header],
        body: &str,
    ) -> Result<HttpRequest, Failure> {
        let options = &self.provider.options;
        let url = options.base.url(path).map_err(|error| Failure::internal(error.to_string()))?;
        Ok(HttpRequest {
            method: "POST",
            url,
            headers: headers.iter().map(|(name, value)| (name.clone(), value.clone().into_owned())).collect(),
            secret: options.key.as_ref().map(|key| key.header(self.route.family.key_header())),
            body: Some(body.as_bytes().to_vec()),
        })
    }
}

/// No thought is waited for longer, unless the operator allows any answer as much.
const THINKING_MAX: Duration = Duration::from_mins(2);
/// More of an error is not read.
const ERROR_BYTES_MAX: usize = 256 << 10;
