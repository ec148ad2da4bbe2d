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
    /// `cache_bytes` is what caches may take, where that is known, and `token_bytes` what one token takes there.
    pub(in crate::engine) fn new(
        options: &EngineOptions,
        cache_bytes: Option<u64>,
        token_bytes: u64,
    ) -> Self {
        let tokens = |bytes: u64| usize::try_from(bytes / token_bytes.max(1)).unwrap_or(usize::MAX);
        // What nobody uses must not grow until the system, which did not say what it has, has no more.
        let prefix_bytes = cache_bytes.map_or(PREFIX_BYTES_UNKNOWN, |bytes| bytes / PREFIX_PART);
        let cache_tokens = cache_bytes.map_or(usize::MAX, tokens);
        Self {
            cache_tokens,
            prefix_tokens: tokens(options.prefix_cache_bytes.unwrap_or(prefix_bytes)).min(cache_tokens),
            speculation: options.speculation,
            turns: options.turns.clone(),
        }
    }

    /// Tokens that one sequence may hold, of so many that are wanted.
    pub(in crate::engine) fn context(&self, wanted: usize) -> usize {
        wanted.min(self.cache_tokens).max(1)
    }

    /// Lets a sequence of so many tokens fit in any case.
    #[must_use]
    pub(in crate::engine) fn with_context(self, context: usize) -> Self {
        Self { cache_tokens: self.cache_tokens.max(context), ..self }
    }
}

/// The part of the caches that may be kept for nobody in particular, one in so many.
const PREFIX_PART: u64 = 4;

/// What may be kept for nobody in particular where the system does not say how much memory there is.
const PREFIX_BYTES_UNKNOWN: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(options: &EngineOptions, cache_bytes: Option<u64>) -> (usize, usize) {
        let limits = WorkerLimits::new(options, cache_bytes, 1 << 10);
        (limits.cache_tokens, limits.prefix_tokens)
    }

    #[test]
    fn a_quarter_of_the_caches_may_be_kept_for_nobody() {
        let options = EngineOptions::default();
        assert_eq!(limits(&options, Some(8 << 20)), (8 << 10, 2 << 10));
        let little = EngineOptions { prefix_cache_bytes: Some(1 << 20), ..options.clone() };
        assert_eq!(limits(&little, Some(8 << 20)), (8 << 10, 1 << 10));
        let much = EngineOptions { prefix_cache_bytes: Some(1 << 40), ..options };
        assert_eq!(limits(&much, Some(8 << 20)), (8 << 10, 8 << 10));
    }

    #[test]
    fn what_is_kept_for_nobody_is_bounded_where_memory_is_unknown() {
        assert_eq!(limits(&EngineOptions::default(), None), (usize::MAX, 1 << 20));
    }
}
