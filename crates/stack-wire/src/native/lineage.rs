//! How an answer came about.

use serde_json::{Value, json};
use stack_chat::{Basis, Class, FinishReason, ModelCard, Timings, Usage};

use super::PROVIDER;
use crate::Ignored;
use crate::timestamp::rfc3339;

/// How an answer came about, as far as it is known before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Lineage {
    /// What names the request in the log and in headers.
    pub request_id: String,
    /// What tells the answer from all others.
    pub unique: String,
    /// When it began, in seconds since 1970.
    pub created_s: u64,
    /// The model that was asked for, if the request named one.
    pub requested: Option<String>,
    /// The model that answers.
    pub model: String,
    /// The provider that it runs at; `None` = it runs here.
    pub provider: Option<String>,
    /// Where its answer comes from.
    pub class: Class,
    /// Why its weights are taken to be the right ones.
    pub basis: Option<Basis>,
    /// The digest of its weights.
    pub digest: Option<String>,
    /// How tightly the system holds the process, where somebody demanded that.
    pub lockdown: Option<&'static str>,
}

impl Lineage {
    /// The identifier of the answer.
    pub(super) fn response_id(&self) -> String {
        format!("chat-{}", self.unique)
    }

    /// Who answers.
    pub(super) fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or(PROVIDER)
    }

    /// When the answer began, for people.
    pub(super) fn timestamp(&self) -> String {
        rfc3339(self.created_s)
    }

    /// Builds the record of an answer, of whose request so much was ignored.
    pub(super) fn value(
        &self,
        finish: Option<FinishReason>,
        usage: Usage,
        timings: Timings,
        ignored: &Ignored,
    ) -> Value {
        let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
        json!({
            "request_id": self.request_id,
            "response_id": self.response_id(),
            "created_at": self.timestamp(),
            "source_system": "stack",
            "source_version": env!("CARGO_PKG_VERSION"),
            "requested_model": self.requested,
            "provider": self.provider(),
            "class": self.class.name(),
            "model": self.model,
            "basis": self.basis.map(Basis::name),
            "digest": self.digest,
            "lockdown": self.lockdown,
            "finish_reason": finish.map(FinishReason::name),
            "usage": usage_value(usage),
            "ms": {
                "queued": ms(timings.queue),
                "prefill": ms(timings.prefill),
                "decode": ms(timings.decode),
            },
            "changes": ignored.names().map(|name| format!("without effect: {name}")).collect::<Vec<_>>(),
        })
    }
}

/// Renders the counters, none of which counts what another does, and their sums.
pub(super) fn usage_value(usage: Usage) -> Value {
    json!({
        "input": usage.prompt(),
        "output": usage.generated(),
        "total": usage.total(),
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write(),
        "reasoning": usage.reasoning,
    })
}

/// Renders the record of vectors, which takes no more than a name and a time.
pub(super) fn embedding_value(card: &ModelCard, model: &str, created_s: u64, request_id: &str) -> Value {
    json!({
        "request_id": request_id,
        "created_at": rfc3339(created_s),
        "source_system": "stack",
        "source_version": env!("CARGO_PKG_VERSION"),
        "provider": PROVIDER,
        "class": "in_process",
        "model": model,
        "basis": card.basis.map(Basis::name),
        "digest": card.digest,
    })
}
