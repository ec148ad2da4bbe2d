//! What comes back.

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;

use crate::{Failure, Opaque, Unused, Usage};

/// The events of one request, in order. Dropping it cancels the request.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, Failure>> + Send>>;

/// One step of an answer.
///
/// A stream is, with `choices` interleaved and nothing after its end:
///
/// ```text
/// stream = Started (choice | Usage | Alive)* (Done | Failure)  |  Failure
/// choice = (PartStarted (Delta | OpaqueAdded | CitationAdded)* PartEnded)* Finished
/// ```
///
/// The parts of a choice are numbered from 0 without a gap in the order in which they start, and several may be open
/// at a time; all are closed when the choice finishes, and all choices are finished before `Done`. A [`Delta`] belongs
/// to an open part and its fragment is of that part's kind. What a failed answer has used so far is the last `Usage`.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// The prompt was rendered and tokenized, and the request waits for its turn.
    Started {
        /// Tokens in the prompt.
        prompt_tokens: u32,
        /// The seed that the draw uses, given or drawn.
        seed: u64,
        /// What of the request has no effect.
        unused: Vec<Unused>,
    },
    /// A part of a choice begins.
    PartStarted {
        /// Which choice.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// What it is.
        kind: PartKind,
    },
    /// More of a part.
    Delta(Delta),
    /// Something that the provider wants back with an open part.
    OpaqueAdded {
        /// Which choice.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// What it wants back.
        opaque: Opaque,
    },
    /// A source of what an open part says.
    CitationAdded {
        /// Which choice.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// The source.
        citation: Citation,
    },
    /// A part of a choice is complete.
    PartEnded {
        /// Which choice.
        choice: u32,
        /// Which part of it.
        part: u32,
    },
    /// Tokens counted so far; the last one holds.
    Usage(Usage),
    /// Nothing new, but the work goes on.
    Alive,
    /// A choice is complete.
    Finished {
        /// Which choice.
        choice: u32,
        /// Why it ended.
        reason: FinishReason,
        /// The stop text in which it ended, if it was one.
        stop: Option<String>,
    },
    /// All choices are complete; always the last event.
    Done {
        /// Tokens counted.
        usage: Usage,
        /// Time spent.
        timings: Timings,
    },
}

/// What a part of an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Text.
    Text,
    /// What the model thinks.
    Thinking,
    /// A call of a tool; its fragments are the text of a JSON object.
    ToolCall {
        /// The identifier that the result must refer to.
        id: String,
        /// The tool.
        name: String,
    },
    /// Why the model does not answer.
    Refusal,
}

/// More of a part. It may carry tokens without text (held back bytes) or text of several tokens, but not neither.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// Which choice.
    pub choice: u32,
    /// Which part of it.
    pub part: u32,
    /// What is added.
    pub fragment: Fragment,
    /// The tokens that were chosen since the last delta of this choice; with log-probabilities where asked for.
    pub tokens: Vec<TokenLogprob>,
}

/// What is added to a part, always whole UTF-8 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// More text.
    Text(String),
    /// More thinking.
    Thinking(String),
    /// More of the JSON text of a call's arguments.
    Arguments(String),
    /// More of a refusal.
    Refusal(String),
}

impl Fragment {
    /// Returns the characters, whatever they are part of.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Arguments(text) | Self::Refusal(text) => text,
        }
    }

    /// Tells whether it may be added to a part of this kind.
    pub fn is_of(&self, kind: &PartKind) -> bool {
        matches!(
            (self, kind),
            (Self::Text(_), PartKind::Text)
                | (Self::Thinking(_), PartKind::Thinking)
                | (Self::Arguments(_), PartKind::ToolCall { .. })
                | (Self::Refusal(_), PartKind::Refusal)
        )
    }
}

/// A source that an answer names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// Where it is, if it is on the network.
    pub url: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// What it says, in its own words.
    pub quote: Option<String>,
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

/// Why an answer ended. That it failed is no reason but another end, so nothing can take it for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, or a stop text appeared.
    Stop,
    /// The model waits for the results of the tools that it called.
    ToolCalls,
    /// `max_tokens` or the context was used up.
    Length,
    /// The provider held it back.
    ContentFilter,
    /// The provider interrupted it; the same conversation goes on where it stands.
    Paused,
}

impl FinishReason {
    /// The word that most interfaces have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Paused => "paused",
        }
    }
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

impl Timings {
    /// Returns the time from the request to the last token.
    pub fn total(self) -> Duration {
        self.queue + self.prefill + self.decode
    }
}
