//! One request on its way: the sequences of its choices, and where their events go.

use std::time::Instant;

use super::channel::Events;
use super::sequence::{GenerationOptions, Sequence};
use crate::executor::SequenceId;

/// The sequences of one request: they share a prompt, and start and end together.
pub(super) struct SequenceGroup {
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
    /// Whether the caller fixed the seed: the same request must give the same answer, whatever else runs.
    pub(super) reproducible: bool,
    pub(super) arrived: Instant,
    pub(super) started: Option<Instant>,
    pub(super) prompt_done: Option<Instant>,
    /// Whether it has ended with an error.
    pub(super) failed: bool,
}

impl SequenceGroup {
    /// Whether sequences beyond the first still wait for the prompt.
    pub(super) fn in_prompt(&self) -> bool {
        self.prompt_done.is_none()
    }

    /// Whether its reader keeps up: the events of a step would fit.
    pub(super) fn has_room(&self) -> bool {
        self.events.has_room(self.sequences.len())
    }

    /// The sequences that the executor holds.
    pub(super) fn ids(&self) -> impl Iterator<Item = SequenceId> {
        self.sequences.iter().filter_map(|sequence| sequence.id)
    }

    /// Tokens that they hold there.
    pub(super) fn held(&self) -> usize {
        self.sequences.iter().filter(|sequence| sequence.id.is_some()).map(|sequence| sequence.computed).sum()
    }
}
