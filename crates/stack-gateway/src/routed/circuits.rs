//! Circuit breakers in somebody's hands.

use std::time::{Duration, Instant};

use stack_chat::{Failure, FailureKind};

use super::gateway::Gateway;
use crate::breaker::{BreakerReport, BreakerState};
use crate::provider::Provider;

/// The breaker of a provider, or of one of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// `PROVIDER` or `PROVIDER/MODEL`.
    pub name: String,
    /// What it does.
    pub report: BreakerReport,
    /// For how much longer the route asked to be left alone, if it did.
    pub cooldown: Option<Duration>,
}

/// What somebody does to a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CircuitChange {
    /// Holds it open, for a while or until further notice.
    Open {
        /// Why.
        reason: String,
        /// For how long.
        wait: Option<Duration>,
    },
    /// Closes it, whoever opened it.
    Close,
    /// Closes it and those of all models behind it, and forgets what has happened.
    Reset,
}

/// A breaker that somebody holds open, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// `PROVIDER` or `PROVIDER/MODEL`.
    pub name: String,
    /// Why.
    pub reason: String,
    /// For how much longer; `None` = until further notice.
    pub left: Option<Duration>,
}

impl Gateway {
    /// Lists the breakers: one of each provider, and those of models that have something to tell.
    pub fn circuits(&self) -> Vec<Circuit> {
        let now = Instant::now();
        let of_provider = |provider: &std::sync::Arc<Provider>| {
            let reports = provider.breakers(|breakers, name| {
                let own = (name.to_owned(), breakers.provider(name).report(now));
                let models = breakers.models(name, now).into_iter();
                let models = models.map(|(model, report)| (format!("{name}/{model}"), report));
                [own].into_iter().chain(models).collect::<Vec<_>>()
            });
            reports.into_iter().map(|(name, report)| {
                let cooldown = self.memory.facts(&name).cooldown;
                let cooldown = cooldown.map(|until| until.saturating_duration_since(now));
                Circuit { name, report, cooldown: cooldown.filter(|left| !left.is_zero()) }
            })
        };
        self.providers.iter().flat_map(of_provider).collect()
    }

    /// Changes a breaker, and returns what it does now.
    ///
    /// # Errors
    ///
    /// When there is no such provider, or the reason is long.
    pub fn change_circuit(&self, name: &str, change: &CircuitChange) -> Result<Circuit, Failure> {
        let (provider, model) = match name.split_once('/') {
            Some((provider, model)) => (provider, Some(model)),
            None => (name, None),
        };
        let found = self.provider(provider).filter(|_| model != Some("")).ok_or_else(|| {
            let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
            let known: Vec<_> = self.providers.iter().map(|one| one.options().name.as_str()).collect();
            let known = if known.is_empty() { "none is configured".to_owned() } else { known.join(", ") };
            Failure::new(FailureKind::ModelUnknown, format!("there is no provider {shown:?}: {known}"))
        })?;
        if model.is_some_and(|model| found.model(model).is_none()) {
            let message = "the provider has no model of that name that may be asked";
            return Err(Failure::new(FailureKind::ModelUnknown, message));
        }
        let now = Instant::now();
        let report = found.breakers(|breakers, provider| {
            if matches!((change, model), (CircuitChange::Reset, None)) {
                for (model, _) in breakers.models(provider, now) {
                    breakers.model(provider, &model).close();
                }
            }
            let breaker = match model {
                Some(model) => breakers.model(provider, model),
                None => breakers.provider(provider),
            };
            match change {
                CircuitChange::Open { reason, wait } => breaker.pin(reason, wait.map(|wait| now + wait)),
                CircuitChange::Close | CircuitChange::Reset => breaker.close(),
            }
            breaker.report(now)
        });
        if *change == CircuitChange::Reset {
            self.memory.warm(name);
        }
        Ok(Circuit { name: name.to_owned(), report, cooldown: None })
    }

    /// Lists the breakers that somebody holds open, to be kept over a restart.
    pub fn pins(&self) -> Vec<Pin> {
        let pinned = self.circuits().into_iter().filter_map(|circuit| {
            let Circuit { name, report: BreakerReport { pinned, probe_in, state, .. }, .. } = circuit;
            let reason = pinned.filter(|_| state == BreakerState::Open)?;
            Some(Pin { name, reason, left: probe_in })
        });
        pinned.collect()
    }
}

const NAME_CHARS_MAX: usize = 128;
