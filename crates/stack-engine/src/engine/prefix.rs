//! Sequences that have ended and are kept, because the next request may start with the same tokens.

use std::collections::VecDeque;

use crate::executor::{Executor, SequenceId};

/// Ended sequences, the most recently used last.
#[derive(Default)]
pub(super) struct Prefixes {
    kept: VecDeque<Kept>,
}

struct Kept {
    sequence: SequenceId,
    tokens: Vec<u32>,
}

/// A sequence to go on with, and how many tokens of the prompt it already holds.
pub(super) struct Reused {
    pub(super) sequence: SequenceId,
    pub(super) tokens: usize,
}

impl Prefixes {
    /// Keeps a sequence that holds these tokens; the oldest makes room.
    pub(super) fn keep(&mut self, executor: &mut dyn Executor, sequence: SequenceId, tokens: Vec<u32>) {
        self.kept.push_back(Kept { sequence, tokens });
        if self.kept.len() > KEPT_MAX {
            self.evict(executor);
        }
    }

    /// Forgets the least recently used sequence; returns false if there is none.
    pub(super) fn evict(&mut self, executor: &mut dyn Executor) -> bool {
        let oldest = self.kept.pop_front();
        if let Some(oldest) = &oldest {
            executor.close(oldest.sequence);
        }
        oldest.is_some()
    }

    /// Tokens held by all kept sequences.
    pub(super) fn tokens(&self) -> usize {
        self.kept.iter().map(|kept| kept.tokens.len()).sum()
    }

    /// Takes the sequence that shares the longest beginning with a prompt, cut to what is shared.
    ///
    /// At least the last token of the prompt is left to compute: its logits are needed.
    pub(super) fn take(&mut self, executor: &mut dyn Executor, prompt: &[u32]) -> Option<Reused> {
        let shared = |kept: &Kept| kept.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let (place, common) =
            self.kept.iter().map(shared).enumerate().max_by_key(|&(place, common)| (common, place))?;
        let usable = common.min(prompt.len().saturating_sub(1));
        if usable < REUSE_MIN {
            return None;
        }
        let kept = self.kept.remove(place)?;
        let tokens = executor.truncate(kept.sequence, usable);
        Some(Reused { sequence: kept.sequence, tokens })
    }
}

/// More than a handful cost more memory than they save time.
const KEPT_MAX: usize = 4;

/// Shorter beginnings (a BOS token, the opening of a template) are not worth taking another conversation's cache.
const REUSE_MIN: usize = 8;
