//! Beginnings of prompts that are computed and kept, because the next request may start with the same tokens.

use super::prefix_tree::{Cuts, GivenUp, PrefixTree, Shared};
use crate::executor::{Executor, SequenceId};

/// Sequences that nobody computes any more, each for the beginning that it holds.
pub(super) struct PrefixCache {
    tree: PrefixTree<SequenceId>,
    /// Tokens that it may hold.
    tokens_max: usize,
}

/// A sequence to go on with, and how many tokens of the prompt it already holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CachedPrefix {
    pub(super) sequence: SequenceId,
    pub(super) tokens: usize,
}

impl PrefixCache {
    pub(super) fn new(executor: &dyn Executor, tokens_max: usize) -> Self {
        let cuts = if executor.cuts_anywhere() { Cuts::Anywhere } else { Cuts::Nowhere };
        Self { tree: PrefixTree::new(cuts), tokens_max }
    }

    /// Keeps a sequence that holds these tokens; the least recently used go where that is too much.
    pub(super) fn insert(&mut self, executor: &mut dyn Executor, sequence: SequenceId, tokens: &[u32]) {
        if self.tokens_max == 0 {
            return executor.close(sequence);
        }
        if let Some(Shared { holder, tokens: shared }) = self.tree.longest(tokens, tokens.len()) {
            // Two that were computed at the same time.
            executor.share(sequence, holder, shared);
        }
        if let Some(unneeded) = self.tree.insert(tokens, sequence) {
            executor.close(unneeded);
        }
        while let Some(excess @ 1..) = self.tree.memory_tokens().checked_sub(self.tokens_max) {
            self.evict(executor, excess);
        }
    }

    /// Forgets what was not used for the longest time, at most about so many tokens; returns false if there is nothing
    /// left.
    pub(super) fn evict(&mut self, executor: &mut dyn Executor, tokens: usize) -> bool {
        match self.tree.give_up(tokens) {
            None => return false,
            Some(GivenUp::Whole(sequence)) => executor.close(sequence),
            Some(GivenUp::Tail(Shared { holder, tokens })) => {
                executor.truncate(holder, tokens);
            }
        }
        true
    }

    /// How many tokens at the start of a prompt are held.
    pub(super) fn longest(&mut self, prompt: &[u32]) -> usize {
        self.find(prompt).map_or(0, |shared| shared.tokens)
    }

    /// Opens a copy of the sequence that shares the longest beginning with a prompt, cut to what is shared.
    pub(super) fn open(&mut self, executor: &mut dyn Executor, prompt: &[u32]) -> Option<CachedPrefix> {
        let Shared { holder, tokens } = self.find(prompt)?;
        fork(executor, holder, tokens)
    }

    /// At least the last token of a prompt is left to compute: its logits are needed.
    fn find(&mut self, prompt: &[u32]) -> Option<Shared<SequenceId>> {
        let found = self.tree.longest(prompt, prompt.len().saturating_sub(1))?;
        (found.tokens >= REUSE_MIN).then_some(found)
    }
}

/// Opens a copy of a sequence's first tokens; `None` if the device has no room for it.
pub(super) fn fork(executor: &mut dyn Executor, sequence: SequenceId, tokens: usize) -> Option<CachedPrefix> {
    let copy = executor.fork(sequence).ok()?;
    let tokens = executor.truncate(copy, tokens);
    Some(CachedPrefix { sequence: copy, tokens })
}

/// Shorter beginnings (a BOS token, the opening of a template) are not worth a copy.
pub(super) const REUSE_MIN: usize = 8;
