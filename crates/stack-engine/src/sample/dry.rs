//! "Don't repeat yourself": penalizes tokens that would extend a sequence that has occurred before.
//!
//! If the last n tokens occurred before and were followed by token t, then t is penalized by
//! `multiplier · base^(n − allowed length)`, for the longest such n ≥ the allowed length. Sequences do not cross
//! breakers.

use std::collections::{HashMap, HashSet};

use stack_chat::Dry;

use super::candidates::Candidates;

/// Finds repetitions in the tokens so far.
#[derive(Clone, Debug)]
pub(super) struct DrySearch {
    multiplier: f32,
    base: f32,
    allowed: usize,
    last_n: usize,
    breakers: HashSet<u32>,
    tokens: Vec<u32>,
}

impl DrySearch {
    /// A breaker that is several tokens long breaks at its last one.
    pub(super) fn new(dry: &Dry, tokenize: impl Fn(&str) -> Vec<u32>) -> Self {
        Self {
            multiplier: dry.multiplier,
            base: dry.base,
            allowed: dry.allowed_length as usize,
            last_n: dry.last_n.map_or(usize::MAX, |n| n as usize),
            breakers: dry
                .sequence_breakers
                .iter()
                .filter_map(|text| tokenize(text).last().copied())
                .collect(),
            tokens: Vec::new(),
        }
    }

    pub(super) fn accept(&mut self, token: u32) {
        self.tokens.push(token);
    }

    pub(super) fn apply(&self, candidates: &mut Candidates) {
        for (token, length) in self.repetitions() {
            let excess = (length - self.allowed).min(EXCESS_MAX);
            candidates.add(token, -self.multiplier * self.base.powi(excess as i32));
        }
    }

    /// For each token that would extend a repetition: how long the longest such repetition already is.
    fn repetitions(&self) -> HashMap<u32, usize> {
        let window = &self.tokens[self.tokens.len().saturating_sub(self.last_n)..];
        // How far the end of the text can be matched at all.
        let reach =
            window.iter().rev().take_while(|token| !self.breakers.contains(token)).count().min(LENGTH_MAX);
        let mut found = HashMap::new();
        for end in 1..window.len() {
            let length = (0..end.min(reach))
                .take_while(|back| window[end - 1 - back] == window[window.len() - 1 - back])
                .count();
            if length >= self.allowed.max(1) {
                let longest = found.entry(window[end]).or_insert(0);
                *longest = length.max(*longest);
            }
        }
        found
    }
}

/// Longer matches are not told apart: the penalty is overwhelming long before.
const LENGTH_MAX: usize = 64;

/// Bounds the exponent.
const EXCESS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn search(tokens: &[u32], breakers: &[u32]) -> DrySearch {
        DrySearch {
            multiplier: 0.8,
            base: 1.75,
            allowed: 2,
            last_n: usize::MAX,
            breakers: breakers.iter().copied().collect(),
            tokens: tokens.to_vec(),
        }
    }

    #[test]
    fn the_token_that_followed_before_is_found_with_the_length_of_the_match() {
        let found = search(&[1, 2, 3, 4, 9, 1, 2, 3], &[]).repetitions();
        assert_eq!(found, HashMap::from([(4, 3)]));
    }

    #[test]
    fn a_match_shorter_than_allowed_is_free() {
        assert!(search(&[1, 2, 9, 1], &[]).repetitions().is_empty());
    }

    #[test]
    fn a_breaker_cuts_the_match() {
        assert!(search(&[1, 2, 3, 4, 9, 1, 2, 3], &[2]).repetitions().is_empty());
    }

    #[test]
    fn the_penalty_grows_with_the_length() {
        let mut candidates = Candidates::default();
        candidates.fill(&[0.0; 10]);
        search(&[1, 2, 3, 4, 9, 1, 2, 3], &[]).apply(&mut candidates);
        candidates.keep_best(0);
        let last = candidates.sorted()[9];
        assert_eq!(last.token, 4);
        assert!((last.logit + 0.8 * 1.75).abs() < 1e-6);
    }
}
