//! What travels to the worker.

use std::time::Instant;

use stack_chat::{ChatRequest, EmbedRequest, Embeddings, Failure, RankRequest, Ranking};
use tokio::sync::oneshot;

use super::channel::Events;
use super::group::SequenceGroup;
use super::pooled::PooledRequest;
use super::worker::{RestoreJob, SaveJob};

/// What callers hand in.
pub(super) enum Job {
    Chat { request: Box<ChatRequest>, events: Events, arrived: Instant },
    Embed(EmbedJob),
    Rank(RankJob),
    Save(SaveJob),
    Restore(RestoreJob),
}

/// Inputs to embed, as texts or tokens, and where the vectors go.
pub(super) struct EmbedJob {
    pub(super) request: EmbedRequest,
    pub(super) reply: oneshot::Sender<Result<Embeddings, Failure>>,
}

/// Documents to rank, and where their scores go.
pub(super) struct RankJob {
    pub(super) request: RankRequest,
    pub(super) reply: oneshot::Sender<Result<Ranking, Failure>>,
}

/// The same as tokens, which the worker computes.
pub(super) enum PreparedJob {
    Chat(SequenceGroup),
    Pooled(PooledRequest),
    Save(SaveJob),
    Restore(RestoreJob),
}
