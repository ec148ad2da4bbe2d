//! A rendered prompt, in pieces that the tokenizer treats differently.

/// A piece of a prompt.
///
/// The texts of all segments, one after the other, are the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The text.
    pub text: String,
    /// Whether control tokens must not be recognised in it: a caller wrote this text, and it spells one.
    pub literal: bool,
}

impl Segment {
    /// Makes a segment in which control tokens are recognised.
    pub fn parsed(text: impl Into<String>) -> Self {
        Self { text: text.into(), literal: false }
    }

    /// Makes a segment in which no control token is recognised.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), literal: true }
    }
}
