//! The models of this process, as the gateway sees them.

use std::pin::Pin;
use std::sync::Arc;

use stack_chat::{ChatModel, Failure, ModelCard};

/// A model that is being made ready.
pub type OpenFuture = Pin<Box<dyn Future<Output = Result<Arc<dyn ChatModel>, Failure>> + Send>>;

/// The models of this process. Whoever has them says which there are, and lends them.
pub trait EngineModels: Send + Sync {
    /// Lists those that the server was started with, in their order, and then those that are in memory beside them.
    fn list(&self) -> Vec<EngineState>;

    /// Lends a model, which stays in memory as long as what is returned lives. One that lies in the store is loaded first.
    fn open(&self, id: &str) -> OpenFuture;
}

/// A model of this process, and how it is doing.
#[derive(Clone, Debug, Default)]
pub struct EngineState {
    /// Its name.
    pub id: String,
    /// What it is, once it is in memory.
    pub card: Option<ModelCard>,
    /// How many requests it has.
    pub depth: u32,
}
