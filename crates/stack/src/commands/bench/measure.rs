//! The work that is measured.

use std::time::Instant;

use stack_engine::engine::STEP_TOKENS;
use stack_engine::executor::{Chunk, Executor, Output, SequenceId, Wanted};
use stack_engine::load::LoadedExecutor;

use crate::error::CommandError;

/// A model, ready to be measured.
pub(super) struct Bench {
    executor: LoadedExecutor,
    /// A sequence that holds what every measurement starts with.
    start: SequenceId,
}

/// What is done between two looks at the clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Compute prompts up to their last logits.
    Prefill {
        /// The length of each.
        tokens: u32,
        /// How many sequences at once.
        sequences: u32,
    },
    /// Compute one token after the other, each with its logits.
    Decode {
        /// How many for each sequence.
        tokens: u32,
        /// How many sequences at once.
        sequences: u32,
    },
}

impl Work {
    /// Tokens of each sequence.
    pub(super) fn tokens(self) -> u32 {
        match self {
            Self::Prefill { tokens, .. } | Self::Decode { tokens, .. } => tokens,
        }
    }

    /// Sequences that are computed together.
    pub(super) fn sequences(self) -> u32 {
        match self {
            Self::Prefill { sequences, .. } | Self::Decode { sequences, .. } => sequences,
        }
    }

    /// Tokens of all sequences together.
    pub(super) fn tokens_in_all(self) -> u32 {
        self.tokens().saturating_mul(self.sequences())
    }

    /// Tokens of one sequence in each step.
    fn step(self) -> usize {
        match self {
            // As in the engine, prompts share what a step may compute.
            Self::Prefill { sequences, .. } => (STEP_TOKENS / sequences.max(1) as usize).max(1),
            Self::Decode { .. } => 1,
        }
    }

    /// Whether each token's logits are needed, and not only the last one's.
    fn wants_each(self) -> bool {
        matches!(self, Self::Decode { .. })
    }
}

impl Bench {
    /// Fills the cache to `depth` tokens.
    pub(super) fn new(mut executor: LoadedExecutor, depth: usize) -> Result<Self, CommandError> {
        let start = executor.open();
        let tokens = tokens(depth, executor.spec().vocabulary);
        for tokens in tokens.chunks(STEP_TOKENS) {
            executor.forward(&[Chunk { sequence: start, tokens, wanted: Wanted::None }], Output::Logits)?;
        }
        Ok(Self { executor, start })
    }

    /// What computes.
    pub(super) fn executor(&self) -> &dyn Executor {
        &*self.executor
    }

    /// Does the work on copies of the start and returns how long it took. Copying is not measured.
    pub(super) fn seconds(&mut self, work: Work) -> Result<f64, CommandError> {
        let sequences =
            (0..work.sequences()).map(|_| self.executor.fork(self.start)).collect::<Result<Vec<_>, _>>()?;
        let tokens = tokens(work.tokens() as usize, self.executor.spec().vocabulary);
        let started = Instant::now();
        let mut done = 0;
        for part in tokens.chunks(work.step()) {
            done += part.len();
            // As in an answer: of a prompt only the last position needs logits.
            let wanted = if work.wants_each() || done == tokens.len() { Wanted::Last } else { Wanted::None };
            let batch: Vec<Chunk<'_>> =
                sequences.iter().map(|&sequence| Chunk { sequence, tokens: part, wanted }).collect();
            self.executor.forward(&batch, Output::Logits)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        for sequence in sequences {
            self.executor.close(sequence);
        }
        Ok(seconds)
    }
}

/// Token ids that look random and are always the same: a linear congruential generator (Knuth's constants).
fn tokens(count: usize, vocabulary: usize) -> Vec<u32> {
    let mut state: u64 = 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocabulary.max(1) as u64) as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_share_a_step() {
        assert_eq!(Work::Prefill { tokens: 512, sequences: 16 }.step(), 32);
        assert_eq!(Work::Prefill { tokens: 1, sequences: 1000 }.step(), 1);
        assert_eq!(Work::Decode { tokens: 8, sequences: 4 }.tokens_in_all(), 32);
    }

    #[test]
    fn tokens_are_always_the_same_and_in_the_vocabulary() {
        assert_eq!(tokens(100, 50), tokens(100, 50));
        assert!(tokens(1000, 50).iter().all(|&token| token < 50));
        let distinct: std::collections::HashSet<u32> = tokens(1000, 50).into_iter().collect();
        assert_eq!(distinct.len(), 50);
    }
}
