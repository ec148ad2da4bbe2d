//! What comes back.

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;

use crate::{ChatError, Unused};

/// The events of one request, in order. Dropping it cancels the request.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ChatError>> + Send>>;

/// One step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// The prompt was rendered and tokenized, and the request waits for its turn; always the first event of a stream
    /// that succeeds.
    Started {
        /// Tokens in the prompt.
        prompt_tokens: u32,
        /// The seed that the draw uses, given or drawn.
        seed: u64,
        /// What the chat template did not look at.
        unused: Vec<Unused>,
    },
    /// More text of one choice.
    Delta(Delta),
    /// A choice is complete.
    Finished {
        /// Which choice.
        choice: u32,
        /// Why it ended.
        reason: FinishReason,
    },
    /// All choices are complete; always the last event.
    Done {
        /// Tokens counted.
        usage: Usage,
        /// Time spent.
        timings: Timings,
    },
}

/// A piece of an answer. It may carry tokens without text (held back bytes) or text of several tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Which choice.
    pub choice: u32,
    /// The text, always whole UTF-8 characters.
    pub text: String,
    /// The tokens that were chosen since the last delta of this choice; with log-probabilities where asked for.
    pub tokens: Vec<TokenLogprob>,
}

/// A chosen token and how probable it was.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub id: u32,
    /// Its bytes, not always UTF-8 by themselves.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability under the unmodified logits; 0 when log-probabilities were not asked for.
    pub logprob: f32,
    /// The most probable alternatives, best first, each with its own `top` empty.
    pub top: Vec<TokenLogprob>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, or a stop text appeared.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens in the prompt, counted once for all choices.
    pub prompt_tokens: u32,
    /// Of these, tokens whose keys and values were still in the cache.
    pub cached_tokens: u32,
    /// Tokens generated, over all choices.
    pub generated_tokens: u32,
}

/// Time spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Time spent in the queue.
    pub queue: Duration,
    /// Prefill time.
    pub prefill: Duration,
    /// Decode time, first token to last.
    pub decode: Duration,
}
