//! Turns tokens into text while they arrive.

use std::sync::Arc;

use super::vocabulary::Vocabulary;

/// Turns tokens into text one by one, holding back what is not a whole character yet.
///
/// What [`Self::push`] and [`Self::flush`] return adds up to the text that [`super::Tokenizer::decode`] makes of the
/// same tokens, bytes that are no UTF-8 having become replacement characters.
#[derive(Clone, Debug)]
pub struct Detokenizer {
    vocabulary: Arc<Vocabulary>,
    strip: Strip,
    /// The start of a character, at most three bytes.
    held: Vec<u8>,
}

/// Whether a space at the start of the text is still to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strip {
    FirstSpace,
    Nothing,
}

impl Strip {
    /// Returns what a token adds to the text.
    pub(super) fn apply<'v>(&mut self, vocabulary: &'v Vocabulary, id: u32) -> &'v [u8] {
        let bytes = if vocabulary.is_hidden(id) { &[] } else { vocabulary.piece(id) };
        if *self == Self::Nothing || bytes.is_empty() {
            return bytes;
        }
        *self = Self::Nothing;
        bytes.strip_prefix(b" ").unwrap_or(bytes)
    }
}

impl Detokenizer {
    pub(super) fn new(vocabulary: Arc<Vocabulary>, strip: Strip) -> Self {
        Self { vocabulary, strip, held: Vec::new() }
    }

    /// Takes a token and returns the characters that are now whole.
    pub fn push(&mut self, id: u32) -> String {
        self.held.extend_from_slice(self.strip.apply(&self.vocabulary, id));
        let mut text = String::with_capacity(self.held.len());
        let (mut end, mut kept) = (0, 0);
        for chunk in self.held.utf8_chunks() {
            text.push_str(chunk.valid());
            end += chunk.valid().len() + chunk.invalid().len();
            if end == self.held.len() && may_become_whole(chunk.invalid()) {
                kept = chunk.invalid().len();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        self.held.drain(..end - kept);
        text
    }

    /// Ends the text: a character that never became whole is one replacement character.
    pub fn flush(&mut self) -> String {
        let broken = !self.held.is_empty();
        self.held.clear();
        if broken { String::from(char::REPLACEMENT_CHARACTER) } else { String::new() }
    }
}

/// Whether bytes at the end of a text are the start of a character.
fn may_become_whole(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
