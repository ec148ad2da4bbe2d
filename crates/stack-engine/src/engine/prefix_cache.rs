//! Sequences that have ended and are kept, because the next request may start with the same tokens.

use std::collections::VecDeque;

use crate::executor::{Executor, SequenceId};

/// Ended sequences, the most recently used last.
#[derive(Default)]
pub(super) struct PrefixCache {
    entries: VecDeque<Entry>,
}

struct Entry {
    sequence: SequenceId,
    tokens: Vec<u32>,
}

/// A sequence to go on with, and how many tokens of the prompt it already holds.
pub(super) struct CachedPrefix {
    pub(super) sequence: SequenceId,
    pub(super) tokens: usize,
}

impl PrefixCache {
    /// Keeps a sequence that holds these tokens; where that is one too many, the oldest goes.
    pub(super) fn insert(&mut self, executor: &mut dyn Executor, sequence: SequenceId, tokens: Vec<u32>) {
        self.entries.push_back(Entry { sequence, tokens });
        if self.entries.len() > ENTRIES_MAX {
            self.evict(executor);
        }
    }

    /// Forgets the least recently used sequence; returns false if there is none.
    pub(super) fn evict(&mut self, executor: &mut dyn Executor) -> bool {
        let oldest = self.entries.pop_front();
        if let Some(oldest) = &oldest {
            executor.close(oldest.sequence);
        }
        oldest.is_some()
    }

    /// Tokens held by all sequences.
    pub(super) fn tokens(&self) -> usize {
        self.entries.iter().map(|entry| entry.tokens.len()).sum()
    }

    /// Takes the sequence that shares the longest beginning with a prompt, cut to what is shared.
    ///
    /// At least the last token of the prompt is left to compute: its logits are needed.
    pub(super) fn take(&mut self, executor: &mut dyn Executor, prompt: &[u32]) -> Option<CachedPrefix> {
        let shared = |entry: &Entry| entry.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let (index, common) =
            self.entries.iter().map(shared).enumerate().max_by_key(|&(index, common)| (common, index))?;
        let usable = common.min(prompt.len().saturating_sub(1));
        if usable < REUSE_MIN {
            return None;
        }
        let Entry { sequence, .. } = self.entries.remove(index)?;
        let tokens = executor.truncate(sequence, usable);
        Some(CachedPrefix { sequence, tokens })
    }
}

/// More than a handful cost more memory than they save time.
const ENTRIES_MAX: usize = 4;

/// Shorter beginnings (a BOS token, the opening of a template) are not worth taking another conversation's cache.
const REUSE_MIN: usize = 8;
