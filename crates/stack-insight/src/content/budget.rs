//! Where the tokens of a context go.

use std::fmt;

/// The tokens of one request, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What the context holds.
    pub context: u32,
    /// The instructions.
    pub system: u32,
    /// The files to be cited.
    pub source: u32,
    /// Examples.
    pub few_shot: u32,
    /// The text to be written.
    pub output: u32,
}

impl Budget {
    /// Returns the budget where the tokenizer is not known: what is usual is set aside.
    pub fn estimated(words: u32, source: u32) -> Self {
        Self { context: CONTEXT, system: SYSTEM, source, few_shot: FEW_SHOT, output: tokens_of(words) }
    }

    /// Returns the budget where everything but the output was counted. The examples are part of the instructions then.
    pub fn counted(context: u32, system: u32, source: u32, words: u32) -> Self {
        Self { context, system, source, few_shot: 0, output: tokens_of(words) }
    }

    /// Returns what is taken.
    pub fn total(&self) -> u32 {
        [self.source, self.few_shot, self.output].into_iter().fold(self.system, u32::saturating_add)
    }

    /// Returns what is left.
    ///
    /// # Errors
    ///
    /// When it does not fit.
    pub fn margin(&self) -> Result<u32, OverBudget> {
        let needed = self.total();
        self.context.checked_sub(needed).ok_or(OverBudget { needed, available: self.context })
    }
}

/// More is needed than the context holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Tokens that are needed.
    pub needed: u32,
    /// Tokens that there are.
    pub available: u32,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens are needed, and the context has {}", self.needed, self.available)
    }
}

impl std::error::Error for OverBudget {}

/// Returns the tokens that so many words have, by experience with English: 1.3 for each.
fn tokens_of(words: u32) -> u32 {
    u32::try_from((u64::from(words) * 13).div_ceil(10)).unwrap_or(u32::MAX)
}

/// What large models hold.
const CONTEXT: u32 = 200_000;
const SYSTEM: u32 = 2000;
const FEW_SHOT: u32 = 1500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chapter_leaves_most_of_a_large_context() {
        let budget = Budget::estimated(4000, 0);
        assert_eq!((budget.system, budget.few_shot, budget.output), (2000, 1500, 5200));
        assert_eq!(budget.margin(), Ok(191_300));
        assert_eq!(Budget::estimated(100, 0).output, 130);
    }

    #[test]
    fn what_does_not_fit_says_both_numbers() {
        let over = Budget::counted(512, 300, 200, 100).margin().unwrap_err();
        assert_eq!(over.to_string(), "630 tokens are needed, and the context has 512");
        assert_eq!(Budget::estimated(u32::MAX, u32::MAX).margin().unwrap_err().needed, u32::MAX);
    }
}
