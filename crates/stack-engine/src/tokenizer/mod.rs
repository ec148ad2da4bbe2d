//! From text to tokens and back.
//!
//! A [`Tokenizer`] is built from GGUF metadata or from a `tokenizer.json`. All algorithms for the former are our own and
//! yield exactly the ids that llama.cpp does; the latter runs on the `tokenizers` crate.
//!
//! Invariant: text marked [`Control::Literal`] never yields a control token, whatever the vocabulary says.

mod added;
mod bpe;
mod charsmap;
mod detokenizer;
mod error;
mod gguf;
mod json;
mod merge;
mod pair;
mod partition;
mod pretokenizers;
mod repeats;
mod roles;
mod source;
mod spelling;
mod split;
mod spm;
mod trie;
mod unigram;
mod vocabulary;
mod wordpiece;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

pub use detokenizer::Detokenizer;
pub use error::TokenizerError;
pub use vocabulary::{Roles, TokenKind};

use crate::weights::Metadata;
use bpe::Bpe;
use detokenizer::Strip;
use json::Pipeline;
use partition::{Fragment, Partition};
use spm::Spm;
use unigram::Unigram;
use vocabulary::Vocabulary;
use wordpiece::WordPiece;

/// Turns text into the tokens of one model and back.
///
/// Cloning is cheap: clones share everything.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    vocabulary: Arc<Vocabulary>,
    /// Empty where the algorithm finds its tokens itself.
    partition: Partition,
    algorithm: Algorithm,
    /// Tokens that go in front of a whole prompt.
    prefix: Vec<u32>,
    /// Tokens that go behind it.
    suffix: Vec<u32>,
    strip: Strip,
    model: String,
    pre_tokenizer: Option<String>,
    warnings: Vec<String>,
}

enum Algorithm {
    Spm(Spm),
    Bpe(Bpe),
    WordPiece(WordPiece),
    Unigram(Unigram),
    Json(Box<Pipeline>),
}

/// Whether control tokens are recognised in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// They are: the text comes from a template, or is a whole prompt that its author is answerable for.
    Parsed,
    /// They are not: the text comes from a caller. Only user-defined tokens are recognised.
    Literal,
}

/// Whether the tokens that the vocabulary wants around a whole prompt are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// They are.
    Add,
    /// Those in front are. Those behind are not, because the text goes on.
    Begin,
    /// They are not.
    Omit,
}

/// A part of a prompt. The texts of all segments, one after the other, are the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Whether control tokens are recognised in it.
    pub control: Control,
}

impl<'a> Segment<'a> {
    /// Makes a segment in which control tokens are recognised.
    pub fn parsed(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), control: Control::Parsed }
    }

    /// Makes a segment in which no control token is recognised.
    pub fn literal(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), control: Control::Literal }
    }
}

impl Tokenizer {
    /// Builds a tokenizer from the metadata of a GGUF file.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, TokenizerError> {
        gguf::tokenizer(metadata)
    }

    /// Builds a tokenizer from `tokenizer.json` and, where there is one, `tokenizer_config.json`.
    pub fn from_json(tokenizer: &[u8], config: Option<&[u8]>) -> Result<Self, TokenizerError> {
        json::tokenizer(tokenizer, config, usize::MAX)
    }

    /// Builds a tokenizer as [`Self::from_json`] does, for a model with embeddings for so many tokens.
    ///
    /// Added tokens beyond them, which people put into a file without training them, are left out with a warning: they
    /// stay text.
    ///
    /// # Errors
    ///
    /// Also when a token of the vocabulary proper has no embedding.
    pub fn from_json_with(
        tokenizer: &[u8],
        config: Option<&[u8]>,
        embeddings: usize,
    ) -> Result<Self, TokenizerError> {
        json::tokenizer(tokenizer, config, embeddings)
    }

    /// Refuses a vocabulary that is larger than a model's embeddings.
    ///
    /// # Errors
    ///
    /// With both numbers.
    pub fn fitting(self, embeddings: usize) -> Result<Self, TokenizerError> {
        let tokens = self.vocabulary_size();
        if tokens > embeddings { Err(TokenizerError::Larger { tokens, embeddings }) } else { Ok(self) }
    }

    /// Returns the tokens of a text.
    pub fn encode(&self, text: &str, control: Control, specials: Specials) -> Vec<u32> {
        let whole = 0..text.len();
        let parsed: &[Range<usize>] = if control == Control::Parsed { &[whole] } else { &[] };
        self.encode_parsed(text, parsed, specials)
    }

    /// Returns the tokens of a prompt in parts.
    ///
    /// Text is joined before it is tokenized, so that the borders of segments leave no trace in the tokens; but a
    /// control token is recognised only if all of it lies in one template segment. A BOS or EOS token that the template
    /// has written is not added once more.
    pub fn encode_segments(&self, segments: &[Segment<'_>], specials: Specials) -> Vec<u32> {
        let mut text = String::with_capacity(segments.iter().map(|segment| segment.text.len()).sum());
        let mut parsed: Vec<Range<usize>> = Vec::new();
        for segment in segments {
            let start = text.len();
            text.push_str(&segment.text);
            if segment.control == Control::Parsed {
                parsed.push(start..text.len());
            }
        }
        self.encode_parsed(&text, &parsed, specials)
    }

    fn encode_parsed(&self, text: &str, parsed: &[Range<usize>], specials: Specials) -> Vec<u32> {
        let inner = &*self.inner;
        let mut tokens = Vec::with_capacity(text.len() / 3 + 2);
        inner.encode(text, parsed, &mut tokens);
        if specials != Specials::Omit && !tokens.starts_with(&inner.prefix) {
            tokens.splice(..0, inner.prefix.iter().copied());
        }
        if specials == Specials::Add && !tokens.ends_with(&inner.suffix) {
            tokens.extend_from_slice(&inner.suffix);
        }
        tokens
    }

    /// Returns the number of tokens; ids are below it.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.vocabulary.len()
    }

    /// Returns the bytes that a token adds to text: none for control tokens and for ids that are no token.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        if self.inner.vocabulary.is_hidden(id) { &[] } else { self.inner.vocabulary.piece(id) }
    }

    /// Returns the bytes of a token as one would show it: a control token shows its own text.
    pub fn piece(&self, id: u32) -> &[u8] {
        self.inner.vocabulary.piece(id)
    }

    /// Returns what sort of token an id is; one that is no token is unused.
    pub fn kind(&self, id: u32) -> TokenKind {
        self.inner.vocabulary.kind(id)
    }

    /// Returns the token of this exact text, as the vocabulary spells it.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.inner.vocabulary.find(text.as_bytes())
    }

    /// Whether a token ends a generation.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.inner.vocabulary.end_of_generation.contains(&id)
    }

    /// Iterates over the tokens that end a generation, in order.
    pub fn end_of_generation(&self) -> impl Iterator<Item = u32> {
        self.inner.vocabulary.end_of_generation.iter().copied()
    }

    /// Returns the token that starts a text.
    pub fn bos(&self) -> Option<u32> {
        self.inner.vocabulary.roles.bos
    }

    /// Returns the token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.inner.vocabulary.roles.eos
    }

    /// Returns all tokens with a role.
    pub fn roles(&self) -> &Roles {
        &self.inner.vocabulary.roles
    }

    /// Iterates over the texts of control tokens: what callers must not be able to smuggle into a template.
    pub fn control_texts(&self) -> impl Iterator<Item = &str> {
        let vocabulary = &*self.inner.vocabulary;
        let control = vocabulary.iter().filter(|&(id, _)| vocabulary.kind(id) == TokenKind::Control);
        control.filter_map(|(_, text)| std::str::from_utf8(text).ok()).filter(|text| !text.is_empty())
    }

    /// Returns the bytes of the text that tokens make up, control tokens left out.
    ///
    /// The space that some vocabularies put in front of a text is removed again.
    pub fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut strip = self.inner.strip;
        ids.iter().flat_map(|&id| strip.apply(&self.inner.vocabulary, id)).copied().collect()
    }

    /// Starts turning tokens into text one by one, from the start of a text.
    pub fn detokenizer(&self) -> Detokenizer {
        Detokenizer::new(Arc::clone(&self.inner.vocabulary), self.inner.strip)
    }

    /// Starts turning tokens into text one by one where other text precedes: a space in front is kept.
    pub fn continuation(&self) -> Detokenizer {
        Detokenizer::new(Arc::clone(&self.inner.vocabulary), Strip::Nothing)
    }

    /// Returns the name of the vocabulary's kind: `llama`, `gpt2` and so on.
    pub fn model_name(&self) -> &str {
        &self.inner.model
    }

    /// Returns the name of the text splitting rule.
    pub fn pre_tokenizer(&self) -> Option<&str> {
        self.inner.pre_tokenizer.as_deref()
    }

    /// Returns what is odd about the vocabulary although it can be used.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }
}

impl Inner {
    fn encode(&self, text: &str, parsed: &[Range<usize>], tokens: &mut Vec<u32>) {
        let vocabulary = &*self.vocabulary;
        // Passes each text to an algorithm, with whether a control token or nothing precedes it.
        let each = |tokens: &mut Vec<u32>, encode: &dyn Fn(&str, bool, &mut Vec<u32>)| {
            let mut first = true;
            for fragment in self.partition.cut(text, parsed) {
                first = match fragment {
                    Fragment::Token(id, _) => {
                        tokens.push(id);
                        true
                    }
                    Fragment::Text(range) => {
                        encode(&text[range], first, tokens);
                        false
                    }
                };
            }
        };
        match &self.algorithm {
            Algorithm::Spm(spm) => {
                each(tokens, &|text, first, tokens| spm.encode(vocabulary, text, first, tokens));
            }
            Algorithm::Bpe(bpe) => each(tokens, &|text, _, tokens| bpe.encode(vocabulary, text, tokens)),
            Algorithm::WordPiece(words) => {
                each(tokens, &|text, _, tokens| words.encode(vocabulary, text, tokens));
            }
            Algorithm::Unigram(unigram) => {
                each(tokens, &|text, _, tokens| unigram.encode(vocabulary, text, tokens));
            }
            Algorithm::Json(pipeline) => pipeline.encode(text, parsed, tokens),
        }
    }
}
