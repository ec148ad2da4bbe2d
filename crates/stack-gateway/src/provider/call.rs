//! One request to a provider, tried again where that makes sense and nobody has seen any of the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{Failure, Tier};
use stack_wire::provider::{ProviderRequest, Route};

use super::Provider;
use super::attempt::Attempt;
use super::driven::Outlet;
use super::hold::Hold;
use crate::stable_hash::stable_hash;
use crate::{Attempts, Ended, Next, Situation};

/// What is asked of a provider.
pub(super) struct Call {
    pub(super) provider: Arc<Provider>,
    pub(super) route: Route,
    pub(super) request: ProviderRequest,
    /// How far the request may reach, if it says so itself.
    pub(super) tier: Option<Tier>,
    /// Whether the model was told to think before it answers.
    pub(super) thinks: bool,
    /// How long the caller waits for all of it.
    pub(super) deadline: Option<Duration>,
}

impl Call {
    /// Answers event by event.
    pub(super) async fn answer(self, outlet: Outlet) {
        if let Err(failure) = self.run(&outlet).await {
            let failure = match &self.provider.options.key {
                Some(key) => key.scrub(failure),
                None => failure,
            };
            // Who does not read any more does not want to know.
            let _unread = outlet.send(Err(failure)).await;
        }
    }

    async fn run(&self, outlet: &Outlet) -> Result<(), Failure> {
        let total = self.provider.options.timeouts.total;
        let ends = Instant::now() + self.deadline.map_or(total, |deadline| deadline.min(total));
        let unique = self.provider.unique();
        let mut attempts = Attempts::new(self.provider.options.retries.clone());
        attempts.begin_route();
        self.provider.state().retries.deposit();
        for number in 0_u32.. {
            let admitted = self.provider.admit(&self.route.model)?;
            let mut hold = Hold::default();
            let mut attempt = Attempt::new(self, &unique, ends);
            let Err(failure) = attempt.run(&mut hold, outlet).await else {
                admitted.settle(Ended::Answered);
                return Ok(());
            };
            admitted.settle(Ended::Failed { kind: failure.kind, status: attempt.status() });
            let situation = Situation {
                is_committed: hold.is_open(),
                has_other_route: false,
                time_left: ends.saturating_duration_since(Instant::now()),
            };
            // Waits of different requests differ, and that is all that is asked of the draw.
            let draw = stable_hash(&[&unique, &number.to_string()]) as f64 / u64::MAX as f64;
            let next = attempts.after(&failure, situation, &mut self.provider.state().retries, draw);
            match next {
                Next::Again(wait) => tokio::time::sleep(wait).await,
                Next::Elsewhere { .. } | Next::GiveUp { .. } => return Err(failure),
            }
        }
        Ok(())
    }
}
