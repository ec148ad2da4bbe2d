//! Asks a provider whether it is there and takes our key, without asking a model anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stack_chat::{Failure, FailureKind};
use stack_wire::provider::ErrorReply;
use tokio::time::timeout;

use super::{Provider, ProviderKind};
use crate::privacy::EgressPermit;
use crate::transport::HttpRequest;

impl Provider {
    /// Asks for something that costs nothing, and returns how long the answer took.
    ///
    /// # Errors
    ///
    /// What is wrong with the provider, its key or the way to it; never the key itself.
    pub async fn probe(self: &Arc<Self>) -> Result<Duration, Failure> {
        let since = Instant::now();
        let asked = timeout(TIMEOUT, self.ask_whether_it_lives()).await;
        let name = &self.options.name;
        let answered = asked.unwrap_or_else(|_elapsed| {
            Err(Failure::new(FailureKind::Timeout, format!("{name} did not answer in time")))
        });
        let scrub = |failure| match &self.options.key {
            Some(key) => key.scrub(failure),
            None => failure,
        };
        answered.map(|()| since.elapsed()).map_err(scrub)
    }

    async fn ask_whether_it_lives(self: &Arc<Self>) -> Result<(), Failure> {
        let options = &self.options;
        let url = options.base.url(options.kind.probe_path());
        let (family, headers) = (options.family(), options.kind.probe_headers());
        let request = HttpRequest {
            method: "GET",
            url: url.map_err(|error| Failure::internal(error.to_string()))?,
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect(),
            secret: options.key.as_ref().map(|key| key.header(family.key_header())),
            body: None,
        };
        let permit = self.probe_permit().await?;
        let mut reply = self
            .transport
            .open(permit, request, Instant::now() + TIMEOUT)
            .await
            .map_err(|error| error.into_failure(&options.name))?;
        let entry = reply.take_entry();
        let mut body = Vec::new();
        while body.len() < BODY_BYTES_MAX
            && let Ok(Some(piece)) = reply.chunk().await
        {
            body.extend_from_slice(piece.as_ref());
        }
        let status = reply.status();
        entry.done(json!({"status": status, "bytes_received": body.len(), "probe": true}));
        if (200..300).contains(&status) {
            return Ok(());
        }
        let headers: Vec<_> = reply
            .headers()
            .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
            .collect();
        let reply = ErrorReply { status, headers: &headers, body: &body };
        Err(reply.failure(&options.route("any"), (self.clock)()))
    }

    async fn probe_permit(self: &Arc<Self>) -> Result<EgressPermit, Failure> {
        let provider = Arc::clone(self);
        let permit = tokio::task::spawn_blocking(move || provider.gate.permit(&provider.request("", None)));
        Ok(permit.await.map_err(|_panicked| Failure::internal("the gate panicked"))??)
    }
}

impl ProviderKind {
    /// What is asked of it to learn whether it lives.
    const fn probe_path(self) -> &'static str {
        match self {
            Self::Openai | Self::Anthropic | Self::Xai => "/v1/models",
            Self::Gemini => "/v1beta/models",
            Self::Ollama => "/api/version",
            Self::Vllm | Self::LlamaCpp => "/health",
        }
    }

    const fn probe_headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
            Self::Openai | Self::Gemini | Self::Xai | Self::Ollama | Self::Vllm | Self::LlamaCpp => &[],
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);
/// More of an answer is not read.
const BODY_BYTES_MAX: usize = 64 << 10;
