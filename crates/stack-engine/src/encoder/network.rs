//! The computation: hidden states of the tokens of several inputs at once.

use crate::executor::Rows;

/// An encoder's weights where they compute.
pub(super) trait Network: Send {
    /// Returns the final hidden state of each token of each input, one input after the other. Inputs have tokens, which
    /// are in the vocabulary, and no more of them than the context.
    ///
    /// # Errors
    ///
    /// When the device fails.
    fn forward(&mut self, inputs: &[&Input]) -> Result<Rows, candle_core::Error>;
}

/// What is read as one sequence: a text, or two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) tokens: Vec<u32>,
    /// Where the second text begins; at the end if there is none.
    pub(super) border: usize,
}

impl Input {
    /// One text.
    pub(super) fn single(tokens: Vec<u32>) -> Self {
        Self { border: tokens.len(), tokens }
    }

    /// The type of the token at a position: 0 in the first text, 1 in the second.
    pub(super) fn kind(&self, position: usize) -> usize {
        usize::from(position >= self.border)
    }
}
