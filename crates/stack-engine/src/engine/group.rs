//! One request on its way: the sequences of its choices, and where their events go.

use std::time::Instant;

use stack_chat::{Priority, Tenant};

use super::channel::Events;
use super::sequence::{GenerationOptions, Sequence};
use crate::executor::SequenceId;

/// The sequences of one request: they share a prompt, and start and end together.
pub(super) struct SequenceGroup {
    /// Its place in the order of arrival.
    pub(super) number: u64,
    pub(super) events: Events,
    /// The choices that are not finished. Before the prompt is computed only the first is open in the executor.
    pub(super) sequences: Vec<Sequence>,
    pub(super) options: GenerationOptions,
    pub(super) prompt_tokens: u32,
    pub(super) cached_tokens: u32,
    /// Tokens of choices that are finished.
    pub(super) generated_tokens: u32,
    /// How many of these are reasoning.
    pub(super) reasoning_tokens: u32,
    pub(super) priority: Priority,
    /// Whose it is: what it computes is for no other.
    pub(super) tenant: Tenant,
    /// When the caller no longer waits.
    pub(super) deadline: Option<Instant>,
    /// The request that is about to compute what both begin with.
    pub(super) leader: Option<Leader>,
    /// Whether the caller fixed the seed: the same request must give the same answer, whatever else runs.
    pub(super) reproducible: bool,
    pub(super) arrived: Instant,
    pub(super) started: Option<Instant>,
    pub(super) prompt_done: Option<Instant>,
    /// Whether it has ended with an error.
    pub(super) failed: bool,
}

/// A request that is computed first, because another begins with the same tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) number: u64,
    /// How many tokens they share.
    pub(super) tokens: usize,
}

impl SequenceGroup {
    /// Whether sequences beyond the first still wait for the prompt.
    pub(super) fn in_prompt(&self) -> bool {
        self.prompt_done.is_none()
    }

    /// How many tokens of each choice its reader has room for.
    pub(super) fn room(&self) -> usize {
        self.events.room(self.sequences.len())
    }

    /// Tokens that it will compute itself before it says the next ones. Those of a sequence that was put aside are not
    /// among them: it finds its own room when it is taken up.
    pub(super) fn uncomputed(&self) -> usize {
        let shared = self.leader.map_or(0, |leader| leader.tokens);
        let active = if self.in_prompt() { 1 } else { self.sequences.len() };
        let sequences = self.sequences.iter().take(active).filter(|sequence| !sequence.preempted);
        sequences.map(Sequence::remaining).sum::<usize>().saturating_sub(shared)
    }

    /// The sequences that the executor holds.
    pub(super) fn ids(&self) -> impl Iterator<Item = SequenceId> {
        self.sequences.iter().filter_map(|sequence| sequence.id)
    }
}
