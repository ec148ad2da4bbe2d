//! Providers: models that run elsewhere, behind the same [`ChatModel`](stack_chat::ChatModel) as those that run here.
//!
//! ```text
//! render the request → admit (breaker) → permit (policy, audit) → send → read → hold → whoever asked
//! ```
//!
//! A [`Provider`] is what the operator configured; [`Provider::model`] is one of its models. What is asked of it is a
//! `Call`, one attempt, which makes the events of the answer while somebody reads them. An `Attempt` is its request and its
//! reply, watched by a [timer], and what it brings is [held](hold) until there is some of an answer in it. Whether it is
//! tried again, and where, is not decided here.

mod attempt;
mod call;
pub(crate) mod driven;
mod forwarded;
pub(crate) mod hold;
mod key;
mod kind;
mod model;
mod options;
mod probe;
mod timer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use stack_chat::{Class, Failure, FailureKind, Tier};

pub use key::ProviderKey;
pub use kind::{Interface, ProviderKind};
pub use model::ProviderModel;
pub use options::{BadBase, ProviderBase, ProviderOptions};
pub use timer::StreamTimeouts;

use crate::privacy::{Denied, EgressGate, EgressRequest, Purpose};
use crate::transport::Transport;
use crate::{BreakerReport, Breakers, Ended, RetryBudget, Tickets};

/// A provider, as the operator configured it.
#[derive(Debug)]
pub struct Provider {
    options: ProviderOptions,
    gate: Arc<EgressGate>,
    transport: Transport,
    state: Mutex<State>,
    /// The present, in seconds since 1970.
    clock: fn() -> u64,
    /// Where the numbers begin that make identifiers differ from those of other processes.
    seed: u64,
    calls: AtomicU64,
}

/// What earlier requests showed.
#[derive(Debug)]
struct State {
    breakers: Breakers,
    retries: RetryBudget,
}

impl Provider {
    /// Makes a provider; it is not contacted. `clock` is the present in seconds since 1970, and `seed` any number that
    /// other processes do not have.
    pub fn new(options: ProviderOptions, gate: Arc<EgressGate>, clock: fn() -> u64, seed: u64) -> Arc<Self> {
        let transport = Transport::new(Arc::clone(&gate));
        let breakers = Breakers::new(options.breaker.clone());
        let state = Mutex::new(State { breakers, retries: RetryBudget::default() });
        Arc::new(Self { options, gate, transport, state, clock, seed, calls: AtomicU64::new(0) })
    }

    /// Returns how it is configured.
    pub fn options(&self) -> &ProviderOptions {
        &self.options
    }

    /// Says where its answers come from, or why it is never asked here. Nothing is written down: nobody has asked.
    ///
    /// # Errors
    ///
    /// By which rule it is never asked under the tier of this program.
    pub fn class(&self) -> Result<Class, Denied> {
        self.gate.policy().decide(&self.request("", None))
    }

    /// Returns one of its models, unless the operator listed others.
    pub fn model(self: &Arc<Self>, name: &str) -> Option<ProviderModel> {
        let ProviderOptions { models, .. } = &self.options;
        let is_meant = models.is_empty() || models.iter().any(|model| model == name);
        (is_meant && !name.is_empty() && name.len() <= NAME_BYTES_MAX).then(|| ProviderModel::new(self, name))
    }

    /// Describes a request to it.
    fn request<'a>(&'a self, model: &'a str, tier: Option<Tier>) -> EgressRequest<'a> {
        let ProviderOptions { name, plaintext, base, .. } = &self.options;
        let purpose = Purpose::Provider { name, model, plaintext: *plaintext };
        EgressRequest { origin: base.origin(), purpose, tier }
    }

    /// Tells what its breakers do, and those of one of its models.
    pub(crate) fn report(&self, model: &str, now: Instant) -> [BreakerReport; 2] {
        self.state().breakers.report(&self.options.name, model, now)
    }

    /// Looks at its breakers.
    pub(crate) fn breakers<T>(&self, look: impl FnOnce(&mut Breakers, &str) -> T) -> T {
        look(&mut self.state().breakers, &self.options.name)
    }

    /// Looks at what its requests have paid for retries.
    pub(crate) fn retries<T>(&self, look: impl FnOnce(&mut RetryBudget) -> T) -> T {
        look(&mut self.state().retries)
    }

    /// Makes an identifier that no other answer has.
    pub(crate) fn unique(&self) -> String {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        format!("{:x}", self.seed.wrapping_add(call))
    }

    /// Admits an attempt, if the breakers do.
    fn admit(self: &Arc<Self>, model: &str) -> Result<Admitted, Failure> {
        let admitted = self.state().breakers.admit(&self.options.name, model, Instant::now());
        let tickets = admitted.map_err(|refused| {
            let message = format!("{} has failed often and rests", self.options.name);
            let failure = Failure::new(FailureKind::CircuitOpen, message);
            refused.wait.map_or(failure.clone(), |wait| failure.after(wait))
        })?;
        Ok(Admitted { provider: Arc::clone(self), model: model.to_owned(), tickets: Some(tickets) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one attempt. Dropped without a verdict, the caller has left, which says nothing about the provider.
struct Admitted {
    provider: Arc<Provider>,
    model: String,
    tickets: Option<Tickets>,
}

impl Admitted {
    /// Says how the attempt ended.
    fn settle(mut self, ended: Ended) {
        self.end(ended);
    }

    fn end(&mut self, ended: Ended) {
        let Some(tickets) = self.tickets.take() else { return };
        let name = &self.provider.options.name;
        self.provider.state().breakers.settle(name, &self.model, tickets, ended, Instant::now());
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.end(Ended::Failed { kind: FailureKind::Cancelled, status: None });
    }
}

/// No model has a longer name.
const NAME_BYTES_MAX: usize = 256;
