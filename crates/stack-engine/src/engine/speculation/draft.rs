//! Guesses from a smaller model (Leviathan et al. 2023, <https://arxiv.org/abs/2211.17192>), by an executor of its own.
//!
//! ```text
//! for each sequence that wishes guesses: compute what the draft model lacks of it
//! once for each guess: choose what the sequence's sampler would, and compute that
//! ```
//!
//! All sequences go through each round in one batch. Departure: what the paper accepts with a probability is accepted here
//! where the sampler chooses it, so that the same seed gives the same answer with and without guesses; the sampler's own
//! draw for the position is used for the guess, too, which makes both choose alike where the models do.

use std::ops::DerefMut;
use std::time::Instant;

use stack_chat::Tenant;
use stack_kernels::PAGE_TOKENS;

use super::Belief;
use crate::engine::pace::{Pace, StepSize};
use crate::engine::prefix_cache::{CachedPrefix, PrefixCache};
use crate::engine::scheduler::STEP_TOKENS;
use crate::engine::sequence::Sequence;
use crate::executor::{Chunk, Executor, ExecutorError, Output, Rows, SequenceId, Wanted};
use crate::turns::Turns;

/// What a draft model is computed with; whatever holds it, such as the proof of what it was made of.
pub(in crate::engine) type DraftExecutor = Box<dyn DerefMut<Target = dyn Executor> + Send>;

/// A smaller model that guesses what another one says.
pub(in crate::engine) struct DraftModel {
    executor: DraftExecutor,
    prefix_cache: PrefixCache,
    pace: Pace,
    /// Tokens that all its sequences may hold together.
    cache_tokens: usize,
    /// Ids below it mean something to both models.
    vocabulary: usize,
}

/// What the draft model knows of one sequence.
#[derive(Default)]
pub(in crate::engine) struct DraftSequence {
    /// Where its executor keeps it.
    id: Option<SequenceId>,
    /// How many tokens it holds there: those of the sequence, then guesses.
    computed: usize,
    pub(in crate::engine) belief: Belief,
}

/// A sequence for which guesses are wished.
pub(in crate::engine) struct DraftWish<'a> {
    /// Whose it is.
    pub(in crate::engine) tenant: &'a Tenant,
    pub(in crate::engine) sequence: &'a mut Sequence,
    /// How many.
    pub(in crate::engine) guesses: usize,
}

impl DraftModel {
    /// Makes a draft model for another one with so many tokens in its vocabulary. Its caches may hold as many tokens as
    /// those of the other, of which `prefix_tokens` for nobody in particular.
    pub(in crate::engine) fn new(
        executor: DraftExecutor,
        vocabulary: usize,
        cache_tokens: usize,
        prefix_tokens: usize,
    ) -> Self {
        let prefix_cache = PrefixCache::new(&**executor, prefix_tokens);
        // Tables of one family may be padded to different lengths.
        let vocabulary = vocabulary.min(executor.spec().vocabulary);
        Self { executor, prefix_cache, pace: Pace::default(), cache_tokens, vocabulary }
    }

    /// Seconds that a guess takes where so many sequences guess together; 0 as long as that is unknown, so that it is
    /// found out.
    pub(in crate::engine) fn seconds_per_guess(&self, sequences: usize) -> f64 {
        self.pace.seconds(sequences).unwrap_or(0.0) / sequences.max(1) as f64
    }

    /// Guesses ahead of sequences. Where the draft model lacks much of one, it catches up over several steps first, and
    /// there are no guesses until then.
    ///
    /// # Errors
    ///
    /// When the device fails.
    pub(in crate::engine) fn guess(
        &mut self,
        wishes: &mut Vec<DraftWish<'_>>,
        turns: &Turns,
    ) -> Result<(), ExecutorError> {
        let mut prompt = self.pace.prompt_tokens(wishes.len(), STEP_TOKENS);
        let mut next: Vec<Vec<u32>> = Vec::new();
        let mut added = 0;
        wishes.retain_mut(|wish| {
            let tokens = self.lacking(wish, prompt, &mut added);
            let lacks = !tokens.is_empty();
            prompt -= if tokens.len() > SHORT { tokens.len() } else { 0 };
            next.extend(lacks.then_some(tokens));
            lacks
        });
        while !next.is_empty() {
            let rows = self.compute(wishes, &next, turns)?;
            let mut rows = rows.iter();
            let mut computed = std::mem::take(&mut next).into_iter();
            wishes.retain_mut(|DraftWish { tenant, sequence, guesses }| {
                let was_long = computed.next().is_some_and(|tokens| tokens.len() > SHORT);
                // Only what is known to its end has a row.
                if sequence.draft.computed < sequence.tokens.len() {
                    return false;
                }
                if let Some(id) = sequence.draft.id.filter(|_| was_long) {
                    // In whole pages, so that it shares them all.
                    let whole = sequence.tokens.len() / PAGE_TOKENS * PAGE_TOKENS;
                    let executor = &mut **self.executor;
                    self.prefix_cache.insert_copy(executor, tenant, id, &sequence.tokens[..whole]);
                }
                let guess = rows.next().and_then(|logits| sequence.guess_from(&logits[..self.vocabulary]));
                let goes_on = sequence.guessed.len() < *guesses;
                next.extend(guess.filter(|_| goes_on).map(|guess| vec![guess]));
                guess.is_some() && goes_on
            });
        }
        Ok(())
    }

    /// The next tokens of a sequence that the draft model lacks, as far as it may compute them now; none if there is no
    /// room for them beyond those that the step has `added` already.
    fn lacking(&mut self, wish: &mut DraftWish<'_>, prompt: usize, added: &mut usize) -> Vec<u32> {
        let DraftWish { tenant, sequence, guesses } = wish;
        let Sequence { tokens, draft, .. } = &mut **sequence;
        let executor = &mut **self.executor;
        if tokens.len() + *guesses > executor.context() {
            return Vec::new();
        }
        draft.keep(executor, tokens.len().saturating_sub(1));
        if draft.id.is_none()
            && let Some(CachedPrefix { sequence, tokens }) = self.prefix_cache.open(executor, tenant, tokens)
        {
            (draft.id, draft.computed) = (Some(sequence), tokens);
        }
        let lacking = &tokens[draft.computed..];
        let lacking = if lacking.len() > SHORT { &lacking[..lacking.len().min(prompt)] } else { lacking };
        if !lacking.iter().all(|&token| (token as usize) < self.vocabulary) {
            return Vec::new();
        }
        let taken = *added + lacking.len() + *guesses + PAGE_TOKENS;
        loop {
            let excess = executor.held_tokens().saturating_add(taken).saturating_sub(self.cache_tokens);
            if excess == 0 {
                *added = taken;
                return lacking.to_vec();
            }
            if !self.prefix_cache.evict(executor, excess) {
                return Vec::new();
            }
        }
    }

    /// Computes the next tokens of each sequence; returns a row for each that the draft model then knows to its end.
    fn compute(
        &mut self,
        wishes: &mut [DraftWish<'_>],
        next: &[Vec<u32>],
        turns: &Turns,
    ) -> Result<Rows, ExecutorError> {
        let executor = &mut **self.executor;
        let mut size = StepSize { prompt: 0, rows: 0 };
        let mut batch = Vec::with_capacity(next.len());
        for (DraftWish { sequence, .. }, tokens) in wishes.iter_mut().zip(next) {
            let draft = &mut sequence.draft;
            let id = *draft.id.get_or_insert_with(|| executor.open());
            draft.computed += tokens.len();
            let wanted = if draft.computed < sequence.tokens.len() { Wanted::None } else { Wanted::Last };
            let part = if tokens.len() > SHORT { &mut size.prompt } else { &mut size.rows };
            *part += tokens.len();
            batch.push(Chunk { sequence: id, tokens, wanted });
        }
        let (rows, took) = turns.take(|| {
            let begun = Instant::now();
            (executor.forward(&batch, Output::Logits), begun.elapsed())
        });
        self.pace.learn(size, took);
        rows
    }

    /// Keeps what the draft model has computed of a sequence that has ended or was put aside, for those that begin alike.
    pub(in crate::engine) fn keep(&mut self, draft: &mut DraftSequence, tenant: &Tenant, tokens: &[u32]) {
        let executor = &mut **self.executor;
        draft.keep(executor, tokens.len());
        if let Some(id) = draft.id.take() {
            let computed = std::mem::take(&mut draft.computed);
            self.prefix_cache.insert(executor, tenant, id, &tokens[..computed]);
        }
    }

    /// Forgets a sequence.
    pub(in crate::engine) fn close(&mut self, draft: &mut DraftSequence) {
        draft.computed = 0;
        if let Some(id) = draft.id.take() {
            self.executor.close(id);
        }
    }

    /// Forgets what it holds of a sequence beyond its first `length` tokens, where that was guessed wrongly.
    pub(in crate::engine) fn settle(&mut self, draft: &mut DraftSequence, length: usize) {
        draft.keep(&mut **self.executor, length);
    }

    #[cfg(test)]
    pub(in crate::engine) fn held_tokens(&self) -> usize {
        self.executor.held_tokens()
    }

    /// Forgets what its guesses take.
    #[cfg(test)]
    pub(in crate::engine) fn forget_pace(&mut self) {
        self.pace = Pace::default();
    }

    /// Forgets what it keeps for nobody; returns how many tokens it holds then.
    #[cfg(test)]
    pub(in crate::engine) fn empty(&mut self) -> usize {
        while self.prefix_cache.evict(&mut **self.executor, usize::MAX) {}
        self.executor.held_tokens()
    }
}

impl DraftSequence {
    /// Forgets tokens from `length` on.
    fn keep(&mut self, executor: &mut dyn Executor, length: usize) {
        if let Some(id) = self.id
            && self.computed > length
        {
            self.computed = executor.truncate(id, length);
        }
    }
}

/// What a sequence lacks after a step with guesses is no piece of a prompt.
const SHORT: usize = 16;
