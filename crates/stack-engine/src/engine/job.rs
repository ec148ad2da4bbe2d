//! What travels to the worker.

use std::time::Instant;

use stack_chat::{ChatError, ChatRequest, Embeddings};
use tokio::sync::oneshot;

use super::channel::Events;
use super::lane::{Lane, Limits};
use crate::executor::SequenceId;

/// What callers hand in.
pub(super) enum Job {
    Chat { request: Box<ChatRequest>, events: Events, arrived: Instant },
    Embed(EmbedJob),
}

/// Inputs to embed, as tokens, and where the vectors go.
pub(super) struct EmbedJob {
    pub(super) request: stack_chat::EmbedRequest,
    pub(super) reply: oneshot::Sender<Result<Embeddings, ChatError>>,
}

/// What the worker computes.
pub(super) enum Work {
    Chat(Task),
    Embed { inputs: Vec<Vec<u32>>, reply: oneshot::Sender<Result<Embeddings, ChatError>> },
}

/// A request that is ready to run.
pub(super) struct Task {
    pub(super) events: Events,
    /// The choices that are not finished. Before the prompt is computed only the first has a sequence.
    pub(super) lanes: Vec<Lane>,
    pub(super) limits: Limits,
    pub(super) prompt_tokens: u32,
    pub(super) cached_tokens: u32,
    /// Tokens of choices that are finished.
    pub(super) generated_tokens: u32,
    /// Whether the caller fixed the seed: the same request must give the same answer, whatever else runs.
    pub(super) reproducible: bool,
    pub(super) arrived: Instant,
    pub(super) started: Option<Instant>,
    pub(super) prompt_done: Option<Instant>,
    /// Whether it has ended with an error.
    pub(super) failed: bool,
}

impl Task {
    /// Whether lanes beyond the first still wait for it.
    pub(super) fn in_prompt(&self) -> bool {
        self.prompt_done.is_none()
    }

    /// The sequences that it holds.
    pub(super) fn sequences(&self) -> impl Iterator<Item = SequenceId> {
        self.lanes.iter().filter_map(|lane| lane.sequence)
    }

    /// Tokens that its sequences hold.
    pub(super) fn held(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.sequence.is_some()).map(|lane| lane.computed).sum()
    }
}
