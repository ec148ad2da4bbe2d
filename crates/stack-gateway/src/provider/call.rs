//! One attempt to get an answer of a provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{Failure, Tier};
use stack_wire::provider::{ProviderRequest, Route};

use super::Provider;
use super::attempt::Attempt;
use super::driven::Outlet;
use super::hold::Hold;
use crate::Ended;

/// What is asked of a provider.
pub(super) struct Call {
    pub(super) provider: Arc<Provider>,
    pub(super) route: Route,
    pub(super) request: ProviderRequest,
    /// How far the request may reach, if it says so itself.
    pub(super) tier: Option<Tier>,
    /// Whether the model was told to think before it answers.
    pub(super) thinks: bool,
    /// How long the first output is waited for, if that is less than the provider may take.
    pub(super) patience: Option<Duration>,
    /// When the attempt is over, whatever came of it.
    pub(super) ends: Instant,
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
        let unique = self.provider.unique();
        let admitted = self.provider.admit(&self.route.model)?;
        let mut attempt = Attempt::new(self, &unique, self.ends);
        let ran = attempt.run(&mut Hold::default(), outlet).await;
        admitted.settle(match &ran {
            Ok(()) => Ended::Answered,
            Err(failure) => Ended::Failed { kind: failure.kind, status: attempt.status() },
        });
        ran
    }
}
