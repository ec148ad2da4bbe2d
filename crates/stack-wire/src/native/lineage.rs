//! How an answer came about.

use std::time::Duration;

use serde_json::{Value, json};
use stack_chat::{
    Answerer, Basis, Class, FailureKind, FinishReason, Lineage as Written, LineageRecord, ModelCard,
    RouteAttempt, Tier, Timings, Usage,
};

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
    /// Where it is written down who was asked.
    pub record: LineageRecord,
}

/// How an answer came about, for whoever asks later.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageReport {
    /// What names the request.
    pub request_id: String,
    /// When it came, in seconds since 1970.
    pub created_s: u64,
    /// The model that was asked for, if the request named one.
    pub requested: Option<String>,
    /// What was written down.
    pub record: LineageRecord,
}

/// Renders how an answer came about.
pub fn lineage_object(report: &LineageReport) -> String {
    let written = report.record.read();
    let mut object = json!({
        "request_id": report.request_id,
        "created_at": rfc3339(report.created_s),
        "source_system": "stack",
        "source_version": env!("CARGO_PKG_VERSION"),
        "requested_model": report.requested,
        "model": null,
    });
    if let Some(answerer) = &written.answerer {
        object["model"] = answerer.model.as_str().into();
        object["provider"] = answerer.provider.as_deref().unwrap_or(PROVIDER).into();
        object["class"] = answerer.class.name().into();
        object["basis"] = answerer.basis.map(Basis::name).into();
        object["digest"] = answerer.digest.as_deref().into();
    }
    object["usage"] = written.usage.map(usage_value).into();
    add_way(&mut object, &written);
    object["changes"] = written.changes.into();
    object.to_string()
}

/// Adds who was considered and who was asked.
fn add_way(object: &mut Value, written: &Written) {
    let attempt = |attempt: &RouteAttempt| {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        json!({
            "route": attempt.route,
            "began_ms": ms(attempt.began),
            "first_output_ms": attempt.first_output.map(ms),
            "took_ms": attempt.took.map(ms),
            "failure": attempt.failure.map(FailureKind::as_str),
        })
    };
    object["alias"] = written.alias.as_deref().into();
    object["tier"] = written.tier.map(Tier::name).into();
    object["variant"] = written.variant.as_deref().into();
    let considered = written.considered.iter();
    let considered = considered.map(|(route, verdict)| json!({"route": route, "verdict": verdict}));
    object["decision"] = considered.collect::<Vec<_>>().into();
    object["attempts"] = written.attempts.iter().map(attempt).collect::<Vec<_>>().into();
}

impl Lineage {
    /// Takes in who answers.
    pub(super) fn answered_by(&mut self, answerer: &Answerer) {
        let Answerer { model, provider, class, basis, digest } = answerer.clone();
        *self = Self { model, provider, class, basis, digest, ..self.clone() };
    }

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
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let written = self.record.read();
        let ignored = ignored.names().map(|name| format!("without effect: {name}"));
        let mut object = json!({
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
            "changes": ignored.chain(written.changes.iter().cloned()).collect::<Vec<_>>(),
        });
        add_way(&mut object, &written);
        object
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
