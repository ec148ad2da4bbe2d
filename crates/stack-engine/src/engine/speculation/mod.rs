//! Guesses of what an answer says next.
//!
//! A guess costs a row of the next step and saves a step where it holds; it never changes what is said, because a token is
//! taken only where the sampler chose it from the model's own logits. Guesses come from what was said before ([`Ngram`]) or
//! from a smaller model ([`DraftModel`]). How many are made follows from how often they held and from what steps take, and
//! where they do not pay there are none.

mod draft;
mod ngram;
mod vocabulary;

pub(super) use draft::{DraftExecutor, DraftModel, DraftSequence, DraftWish};
pub(super) use ngram::Ngram;
pub(crate) use vocabulary::check_vocabularies;

/// How likely a guess of some origin holds in one sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belief(f64);

impl Default for Belief {
    fn default() -> Self {
        Self(HOLDS_FIRST)
    }
}

impl Belief {
    /// The probability, by the guesses before.
    pub(super) fn holds(self) -> f64 {
        self.0
    }

    /// Learns how many of the guesses in a step held.
    pub(super) fn learn(&mut self, guessed: usize, held: usize) {
        for number in 0..(held + 1).min(guessed) {
            let outcome = f64::from(u8::from(number < held));
            self.0 += (outcome - self.0) * WEIGHT;
        }
        self.0 = self.0.min(HOLDS_MAX);
    }

    /// Learns that a guess was not worth its row: after a while the next one is tried again.
    pub(super) fn pass(&mut self) {
        self.0 = (self.0 * RECOVERY).max(HOLDS_MIN);
    }
}

/// Where the guesses of a step came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// What was said before.
    #[default]
    Ngram,
    /// A smaller model.
    Draft,
}

const HOLDS_FIRST: f64 = 0.5;
const HOLDS_MIN: f64 = 0.02;
/// Certainty would make the number of guesses endless.
const HOLDS_MAX: f64 = 0.98;
/// The part that one guess has in what is believed.
const WEIGHT: f64 = 0.15;
/// From the least to one that is tried takes some forty tokens.
const RECOVERY: f64 = 1.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn belief_follows_what_held() {
        let mut belief = Belief::default();
        for _ in 0..50 {
            belief.learn(4, 4);
        }
        assert!(belief.holds() > 0.9);
        for _ in 0..50 {
            belief.learn(4, 0);
        }
        let low = belief.holds();
        assert!(low < 0.05);
        for _ in 0..60 {
            belief.pass();
        }
        assert!(belief.holds() > low);
    }
}
