//! What travels to the worker.

use std::time::Instant;

use stack_chat::{ChatRequest, EmbedRequest, Embeddings, Failure};
use tokio::sync::oneshot;

use super::channel::Events;
use super::group::SequenceGroup;

/// What callers hand in.
pub(super) enum Job {
    Chat { request: Box<ChatRequest>, events: Events, arrived: Instant },
    Embed(EmbedJob),
}

/// Inputs to embed, as texts or tokens, and where the vectors go.
pub(super) struct EmbedJob {
    pub(super) request: EmbedRequest,
    pub(super) reply: oneshot::Sender<Result<Embeddings, Failure>>,
}

/// The same as tokens, which the worker computes.
pub(super) enum PreparedJob {
    Chat(SequenceGroup),
    Embed { inputs: Vec<Vec<u32>>, reply: oneshot::Sender<Result<Embeddings, Failure>> },
}
