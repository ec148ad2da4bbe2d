//! A grammar while an answer is written.

use std::fmt;

use llguidance::Matcher;
use llguidance::toktrie::SimpleVob;

use super::error::GrammarError;

/// Follows one answer through a grammar.
#[derive(Clone)]
pub struct Constraint {
    /// Boxed, because it takes kilobytes.
    matcher: Box<Matcher>,
}

/// Which tokens may come next.
#[derive(Clone, Debug)]
pub struct Mask(SimpleVob);

impl Mask {
    /// Whether a token may come.
    pub fn allows(&self, token: u32) -> bool {
        (token as usize) < self.0.len() && self.0.is_allowed(token)
    }

    /// Iterates over the tokens that may come, in order.
    pub fn tokens(&self) -> impl Iterator<Item = u32> {
        self.0.iter()
    }
}

impl Constraint {
    pub(super) fn new(matcher: Matcher) -> Self {
        Self { matcher: Box::new(matcher) }
    }

    /// Returns the tokens that may come next; once the grammar is at its end, those that end the answer.
    ///
    /// # Errors
    ///
    /// When working it out exceeds the limits.
    pub fn mask(&mut self) -> Result<Mask, GrammarError> {
        self.matcher.compute_mask_or_eos().map(Mask).map_err(GrammarError::of)
    }

    /// Takes note of the token that was chosen.
    ///
    /// # Errors
    ///
    /// When the mask did not allow it.
    pub fn accept(&mut self, token: u32) -> Result<(), GrammarError> {
        if self.is_complete() {
            return Ok(());
        }
        self.matcher.consume_token(token).map_err(GrammarError::of)
    }

    /// Takes note of text that was written before the constraint began to bind; false if it is outside the grammar.
    pub fn accept_text(&mut self, text: &str) -> bool {
        let Ok(environment) = self.matcher.tok_env() else { return false };
        let tokens = environment.tok_trie().greedy_tokenize(text.as_bytes());
        self.matcher.try_consume_tokens(&tokens).is_ok_and(|taken| taken == tokens.len())
    }

    /// Whether nothing can follow what was written.
    pub fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// Whether the answer may end here.
    pub fn may_end(&mut self) -> bool {
        self.is_complete() || self.matcher.is_accepting().unwrap_or(false)
    }

    /// Looks whether the grammar compiled, and whether it allows any answer at all.
    pub(super) fn check(&mut self) -> Result<(), GrammarError> {
        if let Some(problem) = self.matcher.get_error() {
            return Err(GrammarError::of(problem));
        }
        let mut mask = self.clone();
        if mask.mask()?.tokens().next().is_none() {
            return Err(GrammarError::new("nothing can be written that fits it"));
        }
        Ok(())
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Constraint").field("is_complete", &self.is_complete()).finish_non_exhaustive()
    }
}
