//! What an answer cost in tokens.

use std::ops::AddAssign;

/// Tokens counted, each in exactly one counter; what several counters say together are the methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt that were computed and not kept in a cache that is paid for. Counted once for all choices.
    pub input: u32,
    /// Tokens of the prompt that were still in a cache.
    pub cache_read: u32,
    /// Tokens of the prompt that were computed and written to a cache that keeps them for five minutes.
    pub cache_write_5m: u32,
    /// The same for one hour.
    pub cache_write_1h: u32,
    /// Tokens generated that are no reasoning, over all choices.
    pub answer: u32,
    /// Tokens generated as reasoning, over all choices.
    pub reasoning: u32,
    /// Whether the provider's own figures contradict each other, so that these are the best reading of them.
    pub inconsistent: bool,
}

impl Usage {
    /// Counts the tokens of the prompt.
    pub fn prompt(&self) -> u32 {
        self.computed().saturating_add(self.cache_read)
    }

    /// Counts the tokens of the prompt that were computed.
    pub fn computed(&self) -> u32 {
        self.input.saturating_add(self.cache_write())
    }

    /// Counts the tokens that were written to a cache.
    pub fn cache_write(&self) -> u32 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// Counts the tokens that were generated.
    pub fn generated(&self) -> u32 {
        self.answer.saturating_add(self.reasoning)
    }

    /// Counts all tokens.
    pub fn total(&self) -> u32 {
        self.prompt().saturating_add(self.generated())
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        for (counter, more) in [
            (&mut self.input, other.input),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write_5m, other.cache_write_5m),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.answer, other.answer),
            (&mut self.reasoning, other.reasoning),
        ] {
            *counter = counter.saturating_add(more);
        }
        if other.inconsistent {
            self.inconsistent = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_each_token_once() {
        let usage = Usage {
            input: 1,
            cache_read: 2,
            cache_write_5m: 4,
            cache_write_1h: 8,
            answer: 16,
            reasoning: 32,
            inconsistent: false,
        };
        assert_eq!((usage.prompt(), usage.computed(), usage.cache_write()), (15, 13, 12));
        assert_eq!((usage.generated(), usage.total()), (48, 63));
        let mut twice = usage;
        twice += usage;
        assert_eq!(twice.total(), 126);
        twice += Usage { answer: u32::MAX, ..Usage::default() };
        assert_eq!((twice.answer, twice.inconsistent), (u32::MAX, false));
        twice += Usage { inconsistent: true, ..Usage::default() };
        assert!(twice.inconsistent);
    }
}
