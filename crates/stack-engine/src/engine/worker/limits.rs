//! What the worker may take.

use crate::options::{EngineOptions, Speculation};
use crate::turns::Turns;

/// What the worker may take.
#[derive(Clone, Debug)]
pub(in crate::engine) struct WorkerLimits {
    /// Tokens that all caches may hold together.
    pub(super) cache_tokens: usize,
    /// Tokens of them that nobody uses at the time.
    pub(super) prefix_tokens: usize,
    /// How tokens are guessed ahead.
    pub(super) speculation: Speculation,
    /// When it may compute.
    pub(super) turns: Turns,
}

impl WorkerLimits {
    /// `cache_tokens` is what fits in memory, `token_bytes` what one takes there.
    pub(in crate::engine) fn new(options: &EngineOptions, cache_tokens: usize, token_bytes: u64) -> Self {
        let tokens = |bytes: u64| usize::try_from(bytes / token_bytes).unwrap_or(usize::MAX);
        Self {
            cache_tokens,
            prefix_tokens: options
                .prefix_cache_bytes
                .map_or(cache_tokens / PREFIX_PART, tokens)
                .min(cache_tokens),
            speculation: options.speculation,
            turns: options.turns.clone(),
        }
    }
}

/// The part of the caches that may be kept for nobody in particular, one in so many.
const PREFIX_PART: usize = 4;
