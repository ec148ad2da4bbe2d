//! The one maker of permits.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use stack_chat::{Class, Tier};
use stack_url::Origin;

use super::denials::{Denials, Noted};
use super::entry::{EgressEntry, EgressLog, about};
use super::policy::{Denied, EgressPolicy, EgressRequest, Purpose, Refusal};

/// Lets requests leave, or refuses them, and writes both down.
#[derive(Debug)]
pub struct EgressGate {
    policy: EgressPolicy,
    log: EgressLog,
    denials: Mutex<Denials>,
}

/// Leave to send one request to one origin. Only [`EgressGate::permit`] makes it, and sending the request uses it up.
#[derive(Debug)]
pub struct EgressPermit {
    origin: Origin,
    entry: EgressEntry,
}

impl EgressGate {
    /// Makes a gate.
    pub fn new(policy: EgressPolicy, log: EgressLog) -> Self {
        Self { policy, log, denials: Mutex::default() }
    }

    /// Returns what decides.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Lets one request leave. It may wait for the disk: what leaves the machine for a provider is written down first.
    ///
    /// # Errors
    ///
    /// Says by which rule the request may not leave; that it was refused is written down.
    pub fn permit(&self, request: &EgressRequest<'_>) -> Result<EgressPermit, Denied> {
        let class = self.policy.decide(request).inspect_err(|denied| self.deny(request, denied))?;
        let entry = match request.purpose {
            Purpose::Provider { .. } => self.begin(request, class)?,
            // The command has written down what it does.
            Purpose::Transfer | Purpose::Realm { .. } => EgressEntry::default(),
        };
        Ok(EgressPermit { origin: request.origin.clone(), entry })
    }

    /// Writes down that a request was refused because it asks for a tier that nobody may use here.
    pub fn deny_tier(&self, asked: Tier, denied: &Denied) {
        let about = json!({"purpose": "tier", "asked": asked.name()});
        self.note("any model", about, self.policy.tier, denied);
    }

    /// Writes down that a request was refused.
    pub(crate) fn deny(&self, request: &EgressRequest<'_>, denied: &Denied) {
        let tier = request.tier.unwrap_or(self.policy.tier).min(self.policy.tier);
        self.note(&request.origin.to_string(), about(request), tier, denied);
    }

    /// Writes down a refusal; repeats within a minute are counted.
    fn note(&self, to: &str, about: Value, tier: Tier, denied: &Denied) {
        let sort = format!("{} {} {to}", denied.refusal.code(), tier.name());
        let noted = self.denials.lock().unwrap_or_else(PoisonError::into_inner).note(&sort, Instant::now());
        if let Noted::Write { repeats } = noted
            && let Err(error) = self.log.deny(about, tier, denied, repeats)
        {
            // It stays refused.
            tracing::error!(%error, "a refusal is not in the audit log");
        }
    }

    fn begin(&self, request: &EgressRequest<'_>, class: Class) -> Result<EgressEntry, Denied> {
        let tier = request.tier.unwrap_or(self.policy.tier);
        self.log.begin(request, tier, class).map_err(|error| {
            tracing::error!(%error, "nothing leaves while the audit log cannot be written");
            let message = "nothing leaves this machine while its audit log cannot be written".to_owned();
            Denied { refusal: Refusal::NotAudited, message }
        })
    }
}

/// What was counted last is written down, too.
impl Drop for EgressGate {
    fn drop(&mut self) {
        let denials = self.denials.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (sort, repeats) in denials.drain() {
            if let Err(error) = self.log.count(&sort, repeats) {
                tracing::error!(%error, "counted refusals are not in the audit log");
            }
        }
    }
}

impl EgressPermit {
    /// Uses the permit up: says where the request may go, and which entry ends with it.
    pub(crate) fn spend(self) -> (Origin, EgressEntry) {
        (self.origin, self.entry)
    }
}
