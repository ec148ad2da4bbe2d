//! Requests on their way to whoever answers: the edge around [`route`](crate::route).
//!
//! ```text
//! model text → Gateway::model → RoutedModel ──chat──▶ Decision → Walk ──▶ events of one answer
//!                                                        attempt after attempt, until the answer is the caller's
//! ```
//!
//! A [`Gateway`] knows the providers, the aliases and, by a trait, the models of this process. A [`RoutedModel`] is what a
//! text means, as a [`ChatModel`](stack_chat::ChatModel): each request is decided once, and a `Walk` tries the candidates
//! in turn. Before an answer is the caller's it may come from anybody; after that from nobody else.

mod circuits;
mod commit;
mod engine;
mod facts;
mod gateway;
mod health;
mod leg;
mod memory;
mod model;
mod walk;

pub use circuits::{Circuit, CircuitChange, Pin};
pub use engine::{EngineModels, EngineState, OpenFuture};
pub use gateway::Gateway;
pub use health::{ProviderHealth, ProviderStatus};
pub use model::RoutedModel;
pub(crate) use walk::Walk;
