//! Who begins, with what of their prompt already computed.

use std::time::Instant;

use stack_chat::{Failure, FailureKind, Priority};

use super::Worker;
use crate::engine::group::{Leader, SequenceGroup};
use crate::engine::prefix_cache::{self, CachedPrefix};

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
        let cached = self.prefix_cache.longest(prompt);
        let usable = prompt.len().saturating_sub(1);
        let grain = if self.executor.cuts_anywhere() { 1 } else { CHECKPOINT };
        let shared_with = |group: &SequenceGroup| {
            let tokens = &group.sequences[0].tokens[..group.prompt_tokens as usize];
            let common = tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
            common.min(usable) / grain * grain
        };
        // Only who came before can lead, so that nobody waits in a circle, and nobody whom others go before.
        let may_lead = |group: &&SequenceGroup| {
            group.number < new.number
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
        let open = self.prefix_cache.open(self.executor.as_mut(), prompt);
        open.map_or(Beginning::Computed, Beginning::Copied)
    }

    /// Lets requests begin whose leader has computed what they share, or has gone.
    pub(super) fn follow(&mut self) {
        for index in 0..self.running.len() {
            let Some(Leader { number, tokens }) = self.running[index].leader else { continue };
            let leads = |group: &SequenceGroup| {
                group.number == number && group.in_prompt() && group.sequences[0].computed < tokens
            };
            if !self.running.iter().any(leads) {
                let mut group = self.running.swap_remove(index);
                self.begin(&mut group);
                self.running.push(group);
                let last = self.running.len() - 1;
                self.running.swap(index, last);
            }
        }
    }

    /// Takes up what was preempted, in order of arrival, as memory allows; one of them in any case where nothing else
    /// runs.
    pub(super) fn resume(&mut self) {
        for index in 0..self.running.len() {
            for sequence in 0..self.running[index].sequences.len() {
                let this = &self.running[index].sequences[sequence];
                if !this.preempted {
                    continue;
                }
                let idle = !self
                    .running
                    .iter()
                    .flat_map(|group| &group.sequences)
                    .any(|other| !other.preempted && other.id.is_some());
                let tokens = self.running[index].sequences[sequence].tokens.clone();
                let cached = self.prefix_cache.longest(&tokens);
                if !self.make_room(tokens.len() - cached) && !idle {
                    return;
                }
                let prefix = self.prefix_cache.open(self.executor.as_mut(), &tokens);
                let this = &mut self.running[index].sequences[sequence];
                this.preempted = false;
                if let Some(CachedPrefix { sequence, tokens }) = prefix {
                    this.id = Some(sequence);
                    this.computed = tokens;
                }
            }
        }
    }

    /// Frees cached prefixes until there is room for so many tokens beyond what the running requests will take;
    /// returns false if there is not.
    fn make_room(&mut self, tokens: usize) -> bool {
        let to_come: usize =
            self.running.iter().filter(|group| group.in_prompt()).map(SequenceGroup::uncomputed).sum();
        loop {
            let taken = self.executor.held_tokens().saturating_add(to_come + tokens + RESERVE);
            match taken.checked_sub(self.limits.cache_tokens) {
                None | Some(0) => return true,
                Some(excess) if !self.prefix_cache.evict(self.executor.as_mut(), excess) => return false,
                Some(_) => {}
            }
        }
    }

    /// Ends what nobody waits for any more by its own word.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_late = |group: &SequenceGroup| group.deadline.is_some_and(|deadline| deadline <= now);
        self.waiting.retain(|group| {
            if is_late(group) {
                group.events.send(Err(too_late(group)));
            }
            !is_late(group)
        });
        for index in 0..self.running.len() {
            if is_late(&self.running[index]) {
                self.fail(index, too_late(&self.running[index]));
            }
        }
    }
}

fn too_late(group: &SequenceGroup) -> Failure {
    let waits = group.deadline.map(|deadline| deadline - group.arrived).unwrap_or_default();
    let message = format!("the answer was not complete within the {} ms of the request", waits.as_millis());
    Failure::new(FailureKind::Timeout, message)
}

/// Sequences that are generated at once.
const SEQUENCES_MAX: usize = 32;

/// Tokens of memory that a request must find beyond its prompt before it starts.
const RESERVE: usize = 64;

/// Tokens that another request must be about to compute before it is waited for.
const WORTH_WAITING: usize = 32;

/// Where a sequence cannot be cut, it is kept after each so many tokens of its prompt.
pub(super) const CHECKPOINT: usize = 512;
