//! Who begins, with what of their prompt already computed.

use std::time::Instant;

use stack_chat::Priority;

use super::Worker;
use crate::engine::group::{Leader, SequenceGroup};
use crate::engine::prefix_cache::{self, CachedPrefix};
use crate::engine::prefix_tree::Shared;

/// Where the first tokens of a prompt come from.
enum Beginning {
    /// Nowhere: they are computed.
    Computed,
    /// A copy of a sequence that holds them.
    Copied(CachedPrefix),
    /// Another request that is about to compute them.
    Awaited(Leader),
}

impl Worker {
    /// Starts requests in order of arrival, those first for which somebody waits, as long as there are sequences and
    /// memory for their prompts.
    pub(super) fn admit(&mut self) {
        while let Some(place) = self.next_waiting() {
            let sequences: usize = self.running.iter().map(|group| group.sequences.len()).sum();
            let is_first = self.running.is_empty();
            if sequences + self.waiting[place].sequences.len() > SEQUENCES_MAX && !is_first {
                return;
            }
            let Some(mut group) = self.waiting.remove(place) else { return };
            self.begin(&mut group);
            if !self.make_room(group.uncomputed()) && !is_first {
                let first = &mut group.sequences[0];
                first.computed = 0;
                if let Some(id) = first.id.take() {
                    self.executor.close(id);
                }
                self.waiting.insert(place, group);
                return;
            }
            group.started = Some(Instant::now());
            self.running.push(group);
        }
    }

    fn next_waiting(&self) -> Option<usize> {
        let is_urgent = |group: &SequenceGroup| group.priority == Priority::Interactive;
        self.waiting.iter().position(is_urgent).or((!self.waiting.is_empty()).then_some(0))
    }

    /// Gives a request what others have computed of its prompt, or lets it wait for one that is about to.
    fn begin(&mut self, group: &mut SequenceGroup) {
        group.leader = None;
        group.cached_tokens = 0;
        if self.runs_alone(group) || self.limits.prefix_tokens == 0 {
            return;
        }
        match self.beginning(group) {
            Beginning::Computed => {}
            Beginning::Copied(prefix) => {
                let first = &mut group.sequences[0];
                first.id = Some(prefix.sequence);
                first.computed = prefix.tokens;
                group.cached_tokens = prefix.tokens as u32;
            }
            Beginning::Awaited(leader) => group.leader = Some(leader),
        }
    }

    fn beginning(&mut self, new: &SequenceGroup) -> Beginning {
        let prompt = new.sequences[0].tokens.as_slice();
        let found = self.prefix_cache.find(&new.tenant, prompt);
        let cached = found.map_or(0, |found| found.tokens);
        let usable = prompt.len().saturating_sub(1);
        let grain = if self.executor.cuts_anywhere() { 1 } else { CHECKPOINT };
        let shared_with = |group: &SequenceGroup| {
            let tokens = &group.sequences[0].tokens[..group.prompt_tokens as usize];
            let common = tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
            common.min(usable) / grain * grain
        };
        // Only who came before can lead, so that nobody waits in a circle, and nobody whom others go before. Tenants
        // share nothing: who waits for another, or need not compute, learns by the time what the other has asked.
        let may_lead = |group: &&SequenceGroup| {
            group.number < new.number
                && group.tenant == new.tenant
                && group.in_prompt()
                && (group.priority == Priority::Interactive || new.priority == Priority::Batch)
                && !self.runs_alone(group)
        };
        let leader = self
            .running
            .iter()
            .filter(may_lead)
            .map(|group| (shared_with(group), group))
            .filter(|&(tokens, _)| tokens >= cached + WORTH_WAITING)
            .max_by_key(|&(tokens, group)| (tokens, std::cmp::Reverse(group.number)));
        if let Some((tokens, group)) = leader {
            let first = &group.sequences[0];
            if grain > 1 || first.computed < tokens {
                return Beginning::Awaited(Leader { number: group.number, tokens });
            }
            if let Some(id) = first.id
                && let Some(prefix) = prefix_cache::fork(self.executor.as_mut(), id, tokens)
            {
                return Beginning::Copied(prefix);
            }
        }
        let copy = found
            .and_then(|Shared { holder, tokens }| prefix_cache::fork(self.executor.as_mut(), holder, tokens));
        copy.map_or(Beginning::Computed, Beginning::Copied)
    }

    /// Lets requests begin whose leader has computed what they share, or has gone.
    pub(super) fn follow(&mut self) {
        for index in 0..self.running.len() {
            let Some(Leader { number, tokens }) = self.running[index].leader else { continue };
            let leads = |group: &SequenceGroup| {
                group.number == number && group.in_prompt() && group.sequences[0].computed < tokens
            };
            if !self.running.iter().any(leads) {
                let mut group = self.running.remove(index);
                self.begin(&mut group);
                self.running.insert(index, group);
            }
        }
    }

    /// Takes up what was preempted, in order of arrival, as memory allows; one of them in any case where nothing else
    /// runs.
    pub(super) fn resume(&mut self) {
        let mut idle = !self
            .running
            .iter()
            .flat_map(|group| &group.sequences)
            .any(|sequence| !sequence.preempted && sequence.id.is_some());
        for group in 0..self.running.len() {
            for sequence in 0..self.running[group].sequences.len() {
                if !self.running[group].sequences[sequence].preempted {
                    continue;
                }
                // Opened before there is room for the rest, so that making room cannot take it away.
                let tokens = &self.running[group].sequences[sequence].tokens;
                let prefix = if self.runs_alone(&self.running[group]) {
                    None
                } else {
                    self.prefix_cache.open(self.executor.as_mut(), &self.running[group].tenant, tokens)
                };
                let missing = tokens.len() - prefix.map_or(0, |prefix| prefix.tokens);
                if !self.make_room(missing) && !idle {
                    if let Some(CachedPrefix { sequence, .. }) = prefix {
                        self.executor.close(sequence);
                    }
                    return;
                }
                idle = false;
                let this = &mut self.running[group].sequences[sequence];
                this.preempted = false;
                if let Some(CachedPrefix { sequence, tokens }) = prefix {
                    this.id = Some(sequence);
                    this.computed = tokens;
                }
            }
        }
    }

    /// Frees cached prefixes until there is room for so many tokens beyond what the running requests will take;
    /// returns false if there is not. Then nothing is freed that would not have been enough.
    fn make_room(&mut self, tokens: usize) -> bool {
        let to_come: usize = self.running.iter().map(SequenceGroup::uncomputed).sum();
        let needed = to_come + tokens + RESERVE;
        let excess = |held: usize| held.saturating_add(needed).saturating_sub(self.limits.cache_tokens);
        let held = self.executor.held_tokens();
        if excess(held.saturating_sub(self.prefix_cache.memory_tokens())) > 0 {
            return false;
        }
        loop {
            match excess(self.executor.held_tokens()) {
                0 => return true,
                excess if !self.prefix_cache.evict(self.executor.as_mut(), excess) => return false,
                _ => {}
            }
        }
    }
}

/// Sequences that are generated at once.
const SEQUENCES_MAX: usize = 32;

/// Tokens of memory that a request must find beyond its prompt before it starts.
const RESERVE: usize = 64;

/// Tokens that another request must be about to compute before it is waited for.
const WORTH_WAITING: usize = 32;

/// Where a sequence cannot be cut, it is kept after each so many tokens of its prompt.
pub(super) const CHECKPOINT: usize = 512;
