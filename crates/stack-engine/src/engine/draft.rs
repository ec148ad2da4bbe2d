//! Guesses of what an answer says next, from what it and its prompt have said before (prompt lookup decoding, Saxena
//! 2023). A guess costs a row of the next step and saves a step where it holds; it never changes what is said, because a
//! token is taken only where the sampler chose it from the model's own logits.

use std::collections::HashMap;

/// Guesses for one sequence.
#[derive(Default)]
pub(super) struct Drafter {
    /// Behind which token each run of tokens was last seen.
    seen: HashMap<[u32; RUN], usize>,
    /// The tokens whose runs are in `seen`.
    indexed: usize,
    holds: Holds,
}

/// How likely a guess holds.
#[derive(Clone, Copy, Debug)]
struct Holds(f64);

impl Default for Holds {
    fn default() -> Self {
        Self(HOLDS_FIRST)
    }
}

impl Drafter {
    /// How likely a guess holds, by those before.
    pub(super) fn holds(&self) -> f64 {
        self.holds.0
    }

    /// Guesses the tokens after `tokens`: what followed when their end was last seen, and where that reaches the end
    /// itself, the same over again.
    pub(super) fn guess(&mut self, tokens: &[u32], max: usize) -> Vec<u32> {
        // The last run is not its own past.
        let past = tokens.len().saturating_sub(1);
        for end in self.indexed.max(RUN)..=past {
            self.seen.insert(run_before(tokens, end), end);
        }
        self.indexed = self.indexed.max(past + 1);
        if tokens.len() < RUN {
            return Vec::new();
        }
        let seen = self.seen.get(&run_before(tokens, tokens.len()));
        seen.map_or_else(Vec::new, |&end| tokens[end..].iter().copied().cycle().take(max).collect())
    }

    /// Learns how many of the guesses in a step held.
    pub(super) fn learn(&mut self, guessed: usize, held: usize) {
        for number in 0..(held + 1).min(guessed) {
            let outcome = f64::from(u8::from(number < held));
            self.holds.0 += (outcome - self.holds.0) * WEIGHT;
        }
        self.holds.0 = self.holds.0.min(HOLDS_MAX);
    }

    /// Learns that there was a guess that was not worth its row: after a while the next one is tried again.
    pub(super) fn pass(&mut self) {
        self.holds.0 = (self.holds.0 * RECOVERY).max(HOLDS_MIN);
    }
}

fn run_before(tokens: &[u32], end: usize) -> [u32; RUN] {
    std::array::from_fn(|place| tokens[end - RUN + place])
}

/// Tokens that must have been said before for what followed them to be a guess.
const RUN: usize = 3;
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
    fn what_followed_the_same_tokens_is_guessed() {
        let mut drafter = Drafter::default();
        assert_eq!(drafter.guess(&[1, 2, 3, 4, 5, 1, 2, 3], 4), [4, 5, 1, 2]);
        assert_eq!(drafter.guess(&[1, 2, 3, 4, 5, 1, 2, 3, 9], 4), [0; 0]);
        assert_eq!(drafter.guess(&[1, 2, 3, 4, 5, 1, 2, 3, 9, 1, 2, 3], 2), [9, 1], "the latest counts");
    }

    #[test]
    fn a_short_or_new_text_gives_no_guess() {
        let mut drafter = Drafter::default();
        for text in [&[1, 2][..], &[1, 2, 3], &[1, 2, 3, 4]] {
            assert_eq!(drafter.guess(text, 4), [0; 0]);
        }
    }

    #[test]
    fn a_text_that_goes_round_is_guessed_to_go_on() {
        let mut drafter = Drafter::default();
        assert_eq!(drafter.guess(&[7, 7, 7, 7], 3), [7, 7, 7]);
        assert_eq!(drafter.guess(&[7, 7, 7, 7, 1, 2, 3, 1, 2, 3], 5), [1, 2, 3, 1, 2]);
    }

    #[test]
    fn belief_follows_what_held() {
        let mut drafter = Drafter::default();
        for _ in 0..50 {
            drafter.learn(4, 4);
        }
        assert!(drafter.holds() > 0.9);
        for _ in 0..50 {
            drafter.learn(4, 0);
        }
        let low = drafter.holds();
        assert!(low < 0.05);
        for _ in 0..60 {
            drafter.pass();
        }
        assert!(drafter.holds() > low);
    }
}
