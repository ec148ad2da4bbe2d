//! One candidate of a request that is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{Answerer, ChatModel, ChatRequest, EventStream, Failure, FailureKind, Retry, Tier};

use super::engine::EngineModels;
use crate::provider::ProviderModel;
use crate::{Attempts, Next, RetryBudget, Situation};

/// One candidate of a request that is under way.
pub(super) struct Leg {
    /// Its name in headers and lineage.
    pub(super) route: String,
    pub(super) who: Who,
    /// How far a request to it may reach, where an alias says so.
    pub(super) tier: Option<Tier>,
    /// How many tokens fit, if that is known.
    pub(super) context: Option<u32>,
}

/// Who is asked.
pub(super) enum Who {
    Engine { models: Arc<dyn EngineModels>, id: String },
    Provider(ProviderModel),
}

/// An attempt that has begun.
pub(super) struct Opened {
    pub(super) events: EventStream,
    pub(super) answerer: Answerer,
    /// Keeps a model of this process in memory.
    pub(super) _held: Option<Arc<dyn ChatModel>>,
}

impl Leg {
    /// Begins an attempt. `patience` is how long its first output is waited for, if somebody else could answer.
    pub(super) async fn open(
        &self,
        request: ChatRequest,
        patience: Option<Duration>,
        ends: Instant,
    ) -> Result<Opened, Failure> {
        match &self.who {
            Who::Engine { models, id } => {
                let model = models.open(id).await?;
                let events = model.chat(request)?;
                Ok(Opened { events, answerer: answerer(model.as_ref()), _held: Some(model) })
            }
            Who::Provider(model) => {
                let ends = ends.min(Instant::now() + model.provider().options().timeouts.total);
                let events = model.attempt(&request, patience, ends)?;
                Ok(Opened { events, answerer: answerer(model), _held: None })
            }
        }
    }

    /// How long its first output is waited for while somebody else could answer.
    pub(super) fn patience(&self, tokens: u32) -> Duration {
        match &self.who {
            Who::Engine { .. } => ENGINE_PATIENCE,
            Who::Provider(model) => model.provider().options().kind.patience(tokens),
        }
    }

    /// Notes that a request begins.
    pub(super) fn deposit(&self) {
        if let Who::Provider(model) = &self.who {
            model.provider().retries(RetryBudget::deposit);
        }
    }

    /// Decides what to do after a failure.
    pub(super) fn after(
        &self,
        attempts: &mut Attempts,
        failure: &Failure,
        situation: Situation,
        draw: f64,
    ) -> Next {
        let judged = Failure { retry: self.retry(failure), ..Failure::new(failure.kind, "") };
        match &self.who {
            // What runs here is tried again at once, or not at all.
            Who::Engine { .. } => attempts.after(&judged, situation, &mut RetryBudget::new(0, 0), draw),
            Who::Provider(model) => {
                model.provider().retries(|budget| attempts.after(&judged, situation, budget, draw))
            }
        }
    }

    /// Whether another attempt makes sense, here and elsewhere.
    fn retry(&self, failure: &Failure) -> Retry {
        let is_here = matches!(self.who, Who::Engine { .. });
        match failure.kind {
            // Somebody else may be able to, may have the model, or may have room.
            FailureKind::Unsupported | FailureKind::CircuitOpen => Retry::OtherRoute,
            FailureKind::ModelUnknown | FailureKind::QueueFull | FailureKind::Overloaded if is_here => {
                Retry::OtherRoute
            }
            _ => failure.retry,
        }
    }
}

fn answerer(model: &dyn ChatModel) -> Answerer {
    let card = model.card();
    Answerer {
        model: card.id.clone(),
        provider: card.provider.clone(),
        class: card.class,
        basis: card.basis,
        digest: card.digest.clone(),
    }
}

/// How long a model of this process that is being loaded is waited for while somebody else could answer.
const ENGINE_PATIENCE: Duration = Duration::from_secs(10);
