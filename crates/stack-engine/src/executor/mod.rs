//! Turns tokens into logits.
//!
//! An [`Executor`] owns the weights and the keys and values of every open sequence. It takes a ragged batch (some
//! tokens of some sequences) and returns one row per position that the caller asked for. It knows nothing of text,
//! sampling or requests.

pub(crate) mod batch;
mod cache_type;
pub(crate) mod candle;
pub(crate) mod cpu;
pub(crate) mod load;
mod placement;
mod routing;
mod slots;
#[cfg(test)]
pub(crate) mod tiny;

use std::fmt;

use crate::spec::DecoderSpec;

pub use cache_type::CacheType;
pub use candle::DeviceKind;
pub use placement::Placement;
pub(crate) use placement::usable_threads;
pub use stack_kernels::{Level, PrefetchPolicy, UnknownLevel};

/// Called with bytes loaded and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// An open sequence of one executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceId(pub(crate) usize);

/// Some tokens that continue one sequence.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The sequence; each may appear once in a batch.
    pub sequence: SequenceId,
    /// Its next tokens, at the positions that follow what it already holds.
    pub tokens: &'a [u32],
    /// The positions whose rows are returned.
    pub wanted: Wanted,
}

/// Which positions of a chunk are returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// None: the chunk only fills the cache.
    None,
    /// The last one.
    Last,
    /// Every one.
    All,
}

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// One logit per token of the vocabulary.
    Logits,
    /// The final hidden state, normalized, before the output matrix.
    Hidden,
}

/// The rows of a batch, in the order of its chunks and their positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    width: usize,
    data: Vec<f32>,
}

impl Rows {
    pub(crate) fn new(width: usize, data: Vec<f32>) -> Self {
        debug_assert!(width > 0 && data.len().is_multiple_of(width));
        Self { width, data }
    }

    /// Iterates over the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.width.max(1))
    }

    /// Returns one row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.width..(index + 1) * self.width]
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

/// Runs a decoder.
pub trait Executor: Send {
    /// Describes the decoder.
    fn spec(&self) -> &DecoderSpec;

    /// Tokens that one sequence may hold.
    fn context(&self) -> usize;

    /// Opens an empty sequence.
    fn open(&mut self) -> SequenceId;

    /// Opens a copy of a sequence.
    fn fork(&mut self, sequence: SequenceId) -> Result<SequenceId, ExecutorError>;

    /// Forgets a sequence.
    fn close(&mut self, sequence: SequenceId);

    /// Tokens that a sequence holds.
    fn length(&self, sequence: SequenceId) -> usize;

    /// Forgets the tokens of a sequence from `length` on, or more where the model's state cannot be cut there, and
    /// returns how many are left.
    fn truncate(&mut self, sequence: SequenceId, length: usize) -> usize;

    /// Whether a sequence can be cut after any token. Otherwise [`Self::truncate`] keeps all of it or nothing.
    fn cuts_anywhere(&self) -> bool;

    /// Whether sequences hold the pages of tokens that they have in common once, after a fork or [`Self::share`].
    /// Otherwise each has memory of its own.
    fn shares_pages(&self) -> bool;

    /// Lets a sequence hold its first `length` tokens in the memory of another one that holds the same there, if that can
    /// be shared.
    fn share(&mut self, sequence: SequenceId, other: SequenceId, length: usize);

    /// How many tokens the memory of all open sequences would hold; what sequences share counts once.
    fn held_tokens(&self) -> usize;

    /// Computes a batch.
    ///
    /// # Errors
    ///
    /// When a token is not in the vocabulary, a sequence would outgrow the context, or the device fails. The
    /// sequences of a failed batch are emptied.
    fn forward(&mut self, batch: &[Chunk<'_>], output: Output) -> Result<Rows, ExecutorError>;

    /// Whether a row is the same bits whatever else is in its batch and however its sequence was cut into batches.
    ///
    /// A reproducible answer may then share batches and continue a cached prompt. Where this is false, it is computed in
    /// batches of its own, from the first token on.
    fn rows_are_independent(&self) -> bool;

    /// The memory of its sequences, where that can be written and read.
    fn pages(&mut self) -> Option<&mut dyn Pages> {
        None
    }

    /// Bytes of the weights in memory.
    fn weight_bytes(&self) -> u64;

    /// Bytes of the weights that computing one token reads, where that is known.
    fn weight_bytes_per_token(&self) -> Option<u64> {
        None
    }
}

/// Memory of sequences that can be written and read, page by page, because it is numbers in a row.
pub trait Pages {
    /// The form of a page.
    fn form(&self) -> PageForm;

    /// Appends a page of a sequence to `out`.
    fn write(&self, sequence: SequenceId, page: usize, out: &mut Vec<u8>);

    /// Appends a page to a sequence of whole pages: one that was written in the same form, of the same tokens.
    fn read(&mut self, sequence: SequenceId, page: &[u8]);
}

/// The form of a page of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageForm {
    /// How they are held.
    pub cache: CacheType,
    /// The bytes of a page.
    pub bytes: usize,
}

/// Why a batch was not computed.
#[derive(Debug)]
pub enum ExecutorError {
    /// A token id beyond the vocabulary.
    UnknownToken {
        /// The id.
        token: u32,
        /// Tokens in the vocabulary.
        vocabulary: usize,
    },
    /// A sequence would outgrow the context.
    ContextFull {
        /// Tokens that it would hold.
        tokens: usize,
        /// Tokens that it may hold.
        context: usize,
    },
    /// The device failed, or the weights contradict each other in a way that loading could not see.
    Device(candle_core::Error),
}

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownToken { token, vocabulary } => {
                write!(f, "token {token} is not in the vocabulary of {vocabulary}")
            }
            Self::ContextFull { tokens, context } => {
                write!(f, "{tokens} tokens exceed the context length of {context}")
            }
            Self::Device(_) => f.write_str("the computation failed"),
        }
    }
}

impl std::error::Error for ExecutorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Device(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<candle_core::Error> for ExecutorError {
    fn from(cause: candle_core::Error) -> Self {
        Self::Device(cause)
    }
}
