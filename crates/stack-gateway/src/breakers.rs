//! Two breakers for each attempt: one of the provider, one of the model there.
//!
//! What befalls the way to a provider or its account befalls all its models; what befalls one model does not, and another
//! one there may still answer.

use std::collections::HashMap;
use std::time::Instant;

use stack_chat::FailureKind;

use crate::breaker::{Breaker, BreakerOptions, BreakerReport, BreakerState, Evidence, Refused, Ticket};

/// The breakers of all providers and their models.
#[derive(Debug)]
pub struct Breakers {
    options: BreakerOptions,
    providers: HashMap<String, Provider>,
}

#[derive(Debug)]
struct Provider {
    breaker: Breaker,
    models: HashMap<String, Breaker>,
}

/// The right to one attempt, which both breakers gave.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt ends"]
pub struct Tickets {
    provider: Ticket,
    model: Ticket,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an answer.
    Answered,
    /// Not with one.
    Failed {
        /// Why not.
        kind: FailureKind,
        /// The HTTP status, if there was one.
        status: Option<u16>,
    },
}

impl Breakers {
    /// Makes breakers that are closed.
    pub fn new(options: BreakerOptions) -> Self {
        Self { options, providers: HashMap::new() }
    }

    /// Admits an attempt if both breakers do.
    ///
    /// # Errors
    ///
    /// If one of them does not.
    pub fn admit(&mut self, provider: &str, model: &str, now: Instant) -> Result<Tickets, Refused> {
        let (of_provider, of_model) = self.both(provider, model);
        let ticket = of_provider.admit(now)?;
        match of_model.admit(now) {
            Ok(model) => Ok(Tickets { provider: ticket, model }),
            Err(refused) => {
                of_provider.settle(ticket, Evidence::Nothing, now);
                Err(refused)
            }
        }
    }

    /// Takes in how an attempt ended.
    pub fn settle(&mut self, provider: &str, model: &str, tickets: Tickets, ended: Ended, now: Instant) {
        let (of_provider, of_model) = self.both(provider, model);
        let findings = findings(ended);
        of_provider.settle(tickets.provider, findings.of_provider, now);
        of_model.settle(tickets.model, findings.of_model, now);
        if of_model.is_untroubled() {
            // Names of models are the caller's words: those with nothing to remember are forgotten.
            self.entry(provider).models.remove(model);
        }
    }

    /// Returns the breaker of a provider.
    pub fn provider(&mut self, provider: &str) -> &mut Breaker {
        &mut self.entry(provider).breaker
    }

    /// Returns the breaker of a model at a provider.
    pub fn model(&mut self, provider: &str, model: &str) -> &mut Breaker {
        self.both(provider, model).1
    }

    /// Tells what the breakers of a provider and of a model there do; those that have seen nothing are closed.
    pub fn report(&mut self, provider: &str, model: &str, now: Instant) -> [BreakerReport; 2] {
        let closed = || Breaker::new(self.options.clone());
        match self.providers.get_mut(provider) {
            None => [closed().report(now), closed().report(now)],
            Some(Provider { breaker, models }) => {
                let of_model = models.get_mut(model).map(|breaker| breaker.report(now));
                [breaker.report(now), of_model.unwrap_or_else(|| closed().report(now))]
            }
        }
    }

    /// Lists the models of a provider whose breakers have something to tell.
    pub fn models(&mut self, provider: &str, now: Instant) -> Vec<(String, BreakerReport)> {
        let models = self.providers.get_mut(provider).into_iter().flat_map(|found| &mut found.models);
        let reports = models.map(|(model, breaker)| (model.clone(), breaker.report(now)));
        let mut told: Vec<_> = reports.filter(|(_, report)| !is_idle(report)).collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    }

    fn both(&mut self, provider: &str, model: &str) -> (&mut Breaker, &mut Breaker) {
        let options = self.options.clone();
        let Provider { breaker, models } = self.entry(provider);
        if models.len() >= MODELS_MAX && !models.contains_key(model) {
            let forgotten = models.iter().find(|(_, breaker)| !breaker.is_pinned());
            if let Some(name) = forgotten.map(|(name, _)| name.clone()) {
                models.remove(&name);
            }
        }
        (breaker, models.entry(model.to_owned()).or_insert_with(|| Breaker::new(options)))
    }

    fn entry(&mut self, provider: &str) -> &mut Provider {
        let Self { options, providers } = self;
        let closed = || Provider { breaker: Breaker::new(options.clone()), models: HashMap::new() };
        providers.entry(provider.to_owned()).or_insert_with(closed)
    }
}

/// More failing models of a provider are not told apart for long: one of them is forgotten for another.
const MODELS_MAX: usize = 1024;

fn is_idle(report: &BreakerReport) -> bool {
    report.state == BreakerState::Closed && report.failures == 0
}

/// What an attempt says about each of the two.
struct Findings {
    of_provider: Evidence,
    of_model: Evidence,
}

/// The one table that decides. A probe that ends in nothing leaves its place to the next.
fn findings(ended: Ended) -> Findings {
    use Evidence::{Fails, FailsForLong, Nothing, Works};
    let (of_provider, of_model) = match ended {
        Ended::Answered => (Works, Works),
        Ended::Failed { kind, status } => match kind {
            FailureKind::ConnectionFailed | FailureKind::Redirected => (Fails, Nothing),
            // The key is good, but not for this model.
            FailureKind::AuthFailed if status == Some(403) => (Nothing, FailsForLong),
            FailureKind::AuthFailed | FailureKind::Billing | FailureKind::CredentialsExhausted => {
                (FailsForLong, Nothing)
            }
            FailureKind::Overloaded
            | FailureKind::ServerError
            | FailureKind::Timeout
            | FailureKind::StreamStalled
            | FailureKind::StreamTruncated
            | FailureKind::StreamMalformed
            | FailureKind::Other => (Nothing, Fails),
            // A limit is a cooldown, and loading is a wait; the provider does what it should.
            FailureKind::ProviderRateLimited
            | FailureKind::Loading
            // Another model, another prompt or another reading of replies would help; rest would not.
            | FailureKind::ContextExceeded
            | FailureKind::ContentRejected
            | FailureKind::ModelMissing
            | FailureKind::SchemaDrift
            // The caller's matter, the operator's, or our own.
            | FailureKind::InvalidRequest
            | FailureKind::Unsupported
            | FailureKind::ModelUnknown
            | FailureKind::Cancelled
            | FailureKind::Unauthenticated
            | FailureKind::AccessDenied
            | FailureKind::ModelBlocked
            | FailureKind::PrivacyBlocked
            | FailureKind::RateLimited
            | FailureKind::BudgetExceeded
            | FailureKind::RequestTooExpensive
            | FailureKind::PriceUnknown
            | FailureKind::CircuitOpen
            | FailureKind::NoRoute
            | FailureKind::QueueFull
            | FailureKind::Draining
            | FailureKind::Internal => (Nothing, Nothing),
        },
    };
    Findings { of_provider, of_model }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stack_chat::Domain;

    use super::*;

    fn breakers() -> (Breakers, Instant) {
        (Breakers::new(BreakerOptions { failures: 1, ..BreakerOptions::default() }), Instant::now())
    }

    fn fail(breakers: &mut Breakers, kind: FailureKind, status: Option<u16>, now: Instant) {
        let tickets = breakers.admit("p", "m", now).unwrap();
        breakers.settle("p", "m", tickets, Ended::Failed { kind, status }, now);
    }

    #[test]
    fn each_failure_counts_against_the_one_that_failed() {
        for kind in FailureKind::ALL {
            for status in [None, Some(401), Some(403)] {
                let (mut breakers, now) = breakers();
                fail(&mut breakers, kind, status, now);
                let model_open = breakers.admit("p", "m", now).is_err();
                let provider_open = breakers.admit("p", "other", now).is_err();
                let want = match kind {
                    FailureKind::AuthFailed if status == Some(403) => (true, false),
                    FailureKind::ConnectionFailed
                    | FailureKind::Redirected
                    | FailureKind::AuthFailed
                    | FailureKind::Billing
                    | FailureKind::CredentialsExhausted => (true, true),
                    FailureKind::Overloaded
                    | FailureKind::ServerError
                    | FailureKind::Timeout
                    | FailureKind::StreamStalled
                    | FailureKind::StreamTruncated
                    | FailureKind::StreamMalformed
                    | FailureKind::Other => (true, false),
                    _ => (false, false),
                };
                assert_eq!((model_open, provider_open), want, "{} {status:?}", kind.as_str());
                let is_callers = matches!(kind.domain(), Domain::Caller | Domain::Policy);
                assert!(!is_callers || want == (false, false));
                assert!(breakers.admit("elsewhere", "m", now).is_ok(), "providers are independent");
            }
        }
    }

    #[test]
    fn names_that_callers_made_up_are_forgotten() {
        let (mut breakers, now) = breakers();
        for kind in [FailureKind::ModelMissing, FailureKind::ServerError] {
            for number in 0..3000 {
                let (name, ended) = (format!("made-up-{number}"), Ended::Failed { kind, status: None });
                let tickets = breakers.admit("p", &name, now).unwrap();
                breakers.settle("p", &name, tickets, ended, now);
            }
            let kept = breakers.providers["p"].models.len();
            assert_eq!(kept, if kind == FailureKind::ModelMissing { 0 } else { MODELS_MAX });
        }
        assert!(breakers.admit("p", "made-up-2999", now).is_err(), "the last one is remembered");
    }

    #[test]
    fn a_provider_that_may_be_probed_waits_for_a_model_that_may() {
        let (mut breakers, now) = breakers();
        breakers.model("p", "m").pin("bad", None);
        fail_other(&mut breakers, now);
        let later = now + Duration::from_mins(1);
        assert!(breakers.admit("p", "m", later).is_err());
        let tickets =
            breakers.admit("p", "other", later).expect("the model that was refused did not take the probe");
        breakers.settle("p", "other", tickets, Ended::Answered, later);
    }

    fn fail_other(breakers: &mut Breakers, now: Instant) {
        let tickets = breakers.admit("p", "other", now).unwrap();
        let ended = Ended::Failed { kind: FailureKind::ConnectionFailed, status: None };
        breakers.settle("p", "other", tickets, ended, now);
    }

    #[test]
    fn whatever_callers_ask_for_few_models_are_watched_and_pins_stay() {
        let (mut breakers, now) = breakers();
        breakers.model("p", "held").pin("bad", None);
        for number in 0..5000 {
            let model = number.to_string();
            let tickets = breakers.admit("p", &model, now).unwrap();
            let ended = Ended::Failed { kind: FailureKind::ServerError, status: None };
            breakers.settle("p", &model, tickets, ended, now);
        }
        assert!(breakers.providers["p"].models.len() <= MODELS_MAX + 1);
        assert!(breakers.models("p", now).iter().any(|(model, report)| model == "held" && !report.admits()));
        let [of_provider, of_model] = breakers.report("p", "held", now);
        assert!(of_provider.admits() && !of_model.admits());
        assert!(breakers.report("q", "m", now).iter().all(BreakerReport::admits));
    }

    #[test]
    fn a_bill_rests_the_provider_and_a_success_wakes_it() {
        let (mut breakers, now) = breakers();
        fail(&mut breakers, FailureKind::Billing, Some(402), now);
        let refused = breakers.admit("p", "m", now).unwrap_err();
        assert_eq!(refused.wait, Some(Duration::from_mins(5)));
        let later = now + Duration::from_mins(5);
        for _ in 0..3 {
            let tickets = breakers.admit("p", "m", later).unwrap();
            breakers.settle("p", "m", tickets, Ended::Answered, later);
        }
        let report = breakers.provider("p").report(later);
        assert_eq!((report.state.as_str(), report.failures), ("closed", 0));
    }
}
