//! The models of this process, lent to whoever routes requests.

use std::sync::{Arc, Weak};

use stack_chat::{ChatModel, ChatRequest, EventStream, Failure, FailureKind, ModelCard, Sampling};
use stack_gateway::routed::{EngineModels, EngineState, OpenFuture};
use stack_server::{Models, Served};

/// The models of this process, lent to whoever routes requests. They own what lends them, so that it does not own them.
pub(crate) struct LentModels(Weak<Models>);

/// A model that stays in memory as long as this lives.
struct LentModel(Arc<Served>);

impl LentModels {
    /// Lends those of a server.
    pub(crate) fn of(models: &Arc<Models>) -> Self {
        Self(Arc::downgrade(models))
    }
}

impl EngineModels for LentModels {
    fn list(&self) -> Vec<EngineState> {
        let here = self.0.upgrade().map(|models| models.here()).unwrap_or_default();
        here.into_iter().map(|one| EngineState { id: one.id, card: one.card, depth: one.depth }).collect()
    }

    fn open(&self, id: &str) -> OpenFuture {
        let (models, id) = (self.0.upgrade(), id.to_owned());
        Box::pin(async move {
            let models =
                models.ok_or_else(|| Failure::new(FailureKind::Draining, "the server is shutting down"))?;
            let served = models.lend(&id).await?;
            Ok(Arc::new(LentModel(served)) as Arc<dyn ChatModel>)
        })
    }
}

impl ChatModel for LentModel {
    fn card(&self) -> &ModelCard {
        &self.0.card
    }

    fn sampling(&self) -> Sampling {
        self.0.chat.as_deref().map(ChatModel::sampling).unwrap_or_default()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let Some(chat) = &self.0.chat else {
            let message = format!("the model {:?} answers no prompts", self.0.id);
            return Err(Failure::unsupported("model", message));
        };
        chat.chat(request)
    }
}
