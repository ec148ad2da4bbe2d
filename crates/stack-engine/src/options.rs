//! How a model is loaded.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;

use crate::executor::Placement;
use crate::turns::Turns;

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where it runs.
    pub placement: Placement,
    /// Tokens that a sequence may hold; `None` = as many as the model was trained for and memory allows.
    pub context: Option<usize>,
    /// Bytes of memory that weights and caches may take together, measured before anything is loaded; `None` where the
    /// system does not say.
    pub memory_bytes: Option<u64>,
    /// Bytes that caches may take; `None` = four fifths of what the weights leave of the memory.
    pub cache_bytes: Option<u64>,
    /// A chat template that replaces the model's own.
    pub template: Option<String>,
    /// Requests that may wait or run at once; more are refused.
    pub queue_max: usize,
    /// Bytes that computed beginnings of prompts may take while nobody uses them; `None` = a quarter of what caches may
    /// take, or 1 GiB where that is unknown.
    pub prefix_cache_bytes: Option<u64>,
    /// How tokens are guessed ahead.
    pub speculation: Speculation,
    /// Turns at computing, which models of one process share.
    pub turns: Turns,
    /// The time that templates show; the system's local time unless a test gives its own.
    pub clock: fn() -> Zoned,
}

/// How tokens are guessed ahead, so that several come of one step. What is said never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speculation {
    /// They are not.
    Off,
    /// From what the prompt and the answer have said before.
    #[default]
    Ngram,
}

impl fmt::Display for Speculation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Ngram => "ngram",
        })
    }
}

impl FromStr for Speculation {
    type Err = UnknownSpeculation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "off" => Ok(Self::Off),
            "ngram" => Ok(Self::Ngram),
            _ => Err(UnknownSpeculation),
        }
    }
}

/// The name is not one of a way to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSpeculation;

impl fmt::Display for UnknownSpeculation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is `ngram` or `off`")
    }
}

impl std::error::Error for UnknownSpeculation {}

impl Default for EngineOptions {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the clock enters; callers may give their own"
    )]
    fn default() -> Self {
        Self {
            placement: Placement::default(),
            context: None,
            memory_bytes: None,
            cache_bytes: None,
            template: None,
            queue_max: 512,
            prefix_cache_bytes: None,
            speculation: Speculation::default(),
            turns: Turns::default(),
            clock: Zoned::now,
        }
    }
}
