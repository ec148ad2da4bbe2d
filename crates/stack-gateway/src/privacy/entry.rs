//! What is written down of what leaves.

use serde_json::{Value, json};
use stack_audit::{Actor, Audit, AuditError, Draft, Durability, Kind, OpenEntry, Receipt, StreamId};
use stack_chat::{Class, Tier};

use super::policy::{Denied, EgressRequest, Purpose};

/// Where it is written down what leaves for providers.
#[derive(Clone, Debug)]
pub enum EgressLog {
    /// In this log, by this actor.
    Kept {
        /// The log.
        audit: Audit,
        /// Who acts.
        actor: Actor,
    },
    /// Nowhere: the operator wants none, or the command that sends has its own entry.
    Off,
    /// It cannot be, so nothing leaves.
    Unusable(AuditError),
}

/// The entry of one request that leaves, which ends with it. Dropped without an end, the request was given up.
#[derive(Debug, Default)]
pub struct EgressEntry(Option<OpenEntry>);

impl EgressLog {
    /// Writes down what is about to leave. What leaves the machine is on the disk when this returns.
    pub(super) fn begin(
        &self,
        request: &EgressRequest<'_>,
        tier: Tier,
        class: Class,
    ) -> Result<EgressEntry, AuditError> {
        match self {
            Self::Kept { audit, actor } => {
                let mut about = about(request);
                about["class"] = class.name().into();
                let draft = draft(actor, Kind::EGRESS, tier).with(about);
                let stays = class == Class::Loopback;
                let durability = if stays { Durability::Batched } else { Durability::Before };
                audit.begin(draft.flushed(durability)).map(|entry| EgressEntry(Some(entry)))
            }
            Self::Off => Ok(EgressEntry(None)),
            Self::Unusable(error) => Err(error.clone()),
        }
    }

    /// Writes down that something was refused, and how many like it were since the last time.
    pub(super) fn deny(
        &self,
        about: Value,
        tier: Tier,
        denied: &Denied,
        repeats: u64,
    ) -> Result<(), AuditError> {
        let Self::Kept { audit, actor } = self else { return Ok(()) };
        let entry = audit.begin(draft(actor, Kind::EGRESS, tier).with(about))?;
        let why = json!({"rule": denied.refusal.code(), "message": denied.message, "repeats": repeats});
        entry.denied(why).map(|_receipt| ())
    }

    /// Puts adapters in force, once it is on the disk which they are and who wants them.
    ///
    /// # Errors
    ///
    /// When that cannot be written: then `put` was not called.
    pub fn publish(&self, about: Value, put: impl FnOnce()) -> Result<(), AuditError> {
        let (audit, actor) = match self {
            Self::Kept { audit, actor } => (audit, actor),
            Self::Off => {
                put();
                return Ok(());
            }
            Self::Unusable(error) => return Err(error.clone()),
        };
        let draft = Draft::new(stream(), Kind::ADAPTER, actor.clone()).with(about);
        let entry = audit.begin(draft.flushed(Durability::Before))?;
        put();
        entry.done(json!({"in_force": true})).map(|_receipt| ())
    }

    /// Writes down refusals that were counted.
    pub(super) fn count(&self, sort: &str, repeats: u64) -> Result<(), AuditError> {
        let Self::Kept { audit, actor } = self else { return Ok(()) };
        let draft = Draft::new(stream(), Kind::DENIALS, actor.clone());
        audit.note(draft.with(json!({"of": sort, "repeats": repeats}))).map(|_receipt| ())
    }
}

impl EgressEntry {
    /// Ends it: the answer came whole.
    pub fn done(mut self, about: Value) {
        self.end(OpenEntry::done, about);
    }

    /// Ends it: no answer came, or not all of it.
    pub fn failed(mut self, about: Value) {
        self.end(OpenEntry::failed, about);
    }

    /// Ends it: where it would have gone is not allowed after all.
    pub fn denied(mut self, about: Value) {
        self.end(OpenEntry::denied, about);
    }

    /// Writes the end where it holds nobody up.
    fn end(&mut self, end: End, about: Value) {
        let Some(entry) = self.0.take() else { return };
        let ending = Ending { entry: Some(entry), end, about };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(|| drop(ending))),
            Err(_outside) => drop(ending),
        }
    }
}

type End = fn(OpenEntry, Value) -> Result<Receipt, AuditError>;

/// An end that is written when this is dropped: also by a runtime that shuts down and runs no more tasks.
struct Ending {
    entry: Option<OpenEntry>,
    end: End,
    about: Value,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        if let Err(error) = (self.end)(entry, self.about.take()) {
            tracing::error!(%error, "the end of a request to a provider is not in the audit log");
        }
    }
}

/// The caller left, or the program ends.
impl Drop for EgressEntry {
    fn drop(&mut self) {
        self.end(OpenEntry::abandoned, json!({"reason": "the caller left"}));
    }
}

fn draft(actor: &Actor, kind: Kind, tier: Tier) -> Draft {
    Draft::new(stream(), kind, actor.clone()).at_tier(recorded_tier(tier))
}

/// Returns the tier as the audit log and signed statements have it.
pub fn recorded_tier(tier: Tier) -> stack_audit::Tier {
    match tier {
        Tier::Sovereign => stack_audit::Tier::Sovereign,
        Tier::Private => stack_audit::Tier::Private,
        Tier::Standard => stack_audit::Tier::Standard,
    }
}

/// Says what leaves, and nothing of its content.
pub(super) fn about(request: &EgressRequest<'_>) -> Value {
    let mut about = json!({"to": request.origin.to_string(), "purpose": request.purpose.name()});
    if let Purpose::Provider { name, model, .. } = request.purpose {
        about["provider"] = name.into();
        about["model"] = model.into();
    }
    about
}

fn stream() -> StreamId {
    StreamId::named("gateway")
}
