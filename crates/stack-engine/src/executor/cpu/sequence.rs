//! What the executor remembers of a sequence.

use std::sync::Arc;

use stack_kernels::{KvLayout, KvSequence};

/// What the executor remembers of one sequence.
#[derive(Clone)]
pub(super) struct Sequence {
    /// Tokens held.
    pub(super) length: usize,
    /// Keys and values of every layer with attention.
    pub(super) cache: KvSequence,
    /// The last inputs of every convolution, `[taps − 1, width]` each; empty before the first token.
    pub(super) convolutions: Vec<Vec<f32>>,
}

impl Sequence {
    pub(super) fn new(layout: &Arc<KvLayout>, convolutions: usize) -> Self {
        Self { length: 0, cache: KvSequence::new(layout), convolutions: vec![Vec::new(); convolutions] }
    }

    /// Forgets tokens from `length` on. A convolution remembers only its latest inputs, so a sequence with one can
    /// only be kept whole or forgotten whole.
    pub(super) fn truncate(&mut self, length: usize) -> usize {
        if length >= self.length {
            return self.length;
        }
        let keep = if self.convolutions.is_empty() { length } else { 0 };
        self.convolutions.iter_mut().for_each(Vec::clear);
        self.cache.truncate(keep);
        self.length = keep;
        keep
    }
}
