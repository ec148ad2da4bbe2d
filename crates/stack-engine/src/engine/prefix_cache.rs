//! Beginnings of prompts that are computed and kept, because the next request may start with the same tokens.

use stack_chat::Tenant;

use super::prefix_tree::{Beginning, Cuts, GivenUp, PrefixTree, Shared};
use crate::executor::{Executor, SequenceId};

/// Sequences that nobody computes any more, each for the beginning that it holds.
pub(super) struct PrefixCache {
    tree: PrefixTree<SequenceId>,
    /// Whether sequences that begin alike hold that in the same memory.
    shares_pages: bool,
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
        Self { tree: PrefixTree::new(cuts), shares_pages: executor.shares_pages(), tokens_max }
    }

    /// Keeps a sequence of a tenant that holds these tokens; the least recently used go where that is too much.
    pub(super) fn insert(
        &mut self,
        executor: &mut dyn Executor,
        tenant: &Tenant,
        sequence: SequenceId,
        tokens: &[u32],
    ) {
        if self.tokens_max == 0 {
            return executor.close(sequence);
        }
        if let Some(Shared { holder, tokens: shared }) = self.tree.akin(tenant, tokens) {
            // Two that were computed at the same time.
            executor.share(sequence, holder, shared);
        }
        if let Some(unneeded) = self.tree.insert(tenant, tokens, sequence) {
            executor.close(unneeded);
        }
        while let Some(excess @ 1..) = self.memory_tokens().checked_sub(self.tokens_max) {
            self.evict(executor, excess);
        }
    }

    /// Keeps a copy of a sequence that begins with these tokens; nothing where the device has no room for it.
    pub(super) fn insert_copy(
        &mut self,
        executor: &mut dyn Executor,
        tenant: &Tenant,
        sequence: SequenceId,
        tokens: &[u32],
    ) {
        if let Some(copy) = fork(executor, sequence, tokens.len()) {
            self.insert(executor, tenant, copy.sequence, &tokens[..copy.tokens]);
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

    /// How many tokens the memory of what it keeps would hold. Some of it may be that of sequences that run.
    pub(super) fn memory_tokens(&self) -> usize {
        if self.shares_pages { self.tree.paged_tokens() } else { self.tree.copied_tokens() }
    }

    /// Lists what it keeps, the least recently used first.
    pub(super) fn beginnings(&self) -> Vec<Beginning<SequenceId>> {
        self.tree.beginnings()
    }

    /// Opens a copy of these tokens of a tenant, if all of them are held.
    pub(super) fn copy(
        &self,
        executor: &mut dyn Executor,
        tenant: &Tenant,
        tokens: &[u32],
    ) -> Option<SequenceId> {
        let Shared { holder, tokens: shared } = self.tree.akin(tenant, tokens)?;
        let copy = if shared == tokens.len() { fork(executor, holder, shared)? } else { return None };
        Some(copy.sequence)
    }

    /// Opens a copy of the sequence that shares the longest beginning with a tenant's prompt, cut to what is shared.
    pub(super) fn open(
        &mut self,
        executor: &mut dyn Executor,
        tenant: &Tenant,
        prompt: &[u32],
    ) -> Option<CachedPrefix> {
        let Shared { holder, tokens } = self.find(tenant, prompt)?;
        fork(executor, holder, tokens)
    }

    /// Finds the sequence that shares the longest beginning with a tenant's prompt. At least the last token of the prompt is
    /// left to compute: its logits are needed.
    pub(super) fn find(&mut self, tenant: &Tenant, prompt: &[u32]) -> Option<Shared<SequenceId>> {
        let found = self.tree.longest(tenant, prompt, prompt.len().saturating_sub(1))?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::executor::{Chunk, Output, Wanted, tiny};

    /// Keeps what a new sequence of these tokens holds, of which the longest beginning comes from the cache if `forks`.
    fn keep(cache: &mut PrefixCache, executor: &mut dyn Executor, tokens: &[u32], forks: bool) {
        let tenant = Tenant::default();
        let prefix = if forks { cache.open(executor, &tenant, tokens) } else { None };
        let begin = prefix.map_or(0, |prefix| prefix.tokens);
        let sequence = prefix.map_or_else(|| executor.open(), |prefix| prefix.sequence);
        let chunk = Chunk { sequence, tokens: &tokens[begin..], wanted: Wanted::None };
        executor.forward(&[chunk], Output::Logits).unwrap();
        cache.insert(executor, &tenant, sequence, tokens);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_it_says_it_holds_is_what_the_executor_holds(
            cuts_anywhere in any::<bool>(),
            acts in prop::collection::vec(
                ((0..2_u32, 1..6_usize, 1..40_usize), any::<bool>(), prop::option::of(1..60_usize)),
                1..16,
            ),
        ) {
            let mut executor = if cuts_anywhere { tiny::llama(0, 64) } else { tiny::convolution(0, 64) };
            let executor = executor.as_mut();
            let mut cache = PrefixCache::new(executor, 300);
            for ((first, period, length), forks, evicted) in acts {
                // Few beginnings that part at few places, most of them within a page.
                let token = |place: usize| first + u32::from(place >= 18 && place.is_multiple_of(period));
                let tokens: Vec<u32> = (0..length).map(token).collect();
                keep(&mut cache, executor, &tokens, forks);
                prop_assert_eq!(executor.held_tokens(), cache.memory_tokens());
                prop_assert!(cache.memory_tokens() <= 300);
                if let Some(evicted) = evicted {
                    cache.evict(executor, evicted);
                    prop_assert_eq!(executor.held_tokens(), cache.memory_tokens());
                }
            }
            while cache.evict(executor, usize::MAX) {}
            prop_assert_eq!(executor.held_tokens(), 0);
        }
    }

    #[test]
    fn short_prompts_count_with_the_pages_that_they_take() {
        let mut executor = tiny::llama(0, 64);
        let executor = executor.as_mut();
        let mut cache = PrefixCache::new(executor, 128);
        for first in 0..tiny::VOCABULARY as u32 {
            keep(&mut cache, executor, &[first; 9], false);
        }
        assert_eq!(executor.held_tokens(), 128, "eight of them, each in a page of its own");
    }
}
