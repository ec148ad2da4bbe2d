//! Guesses from what an answer and its prompt have said before (prompt lookup decoding, Saxena 2023).

use std::collections::HashMap;

use super::Belief;

/// Guesses for one sequence.
#[derive(Default)]
pub(in crate::engine) struct Ngram {
    /// Behind which token each run of tokens was last seen.
    seen: HashMap<[u32; RUN], usize>,
    /// The tokens whose runs are in `seen`.
    indexed: usize,
    pub(in crate::engine) belief: Belief,
}

impl Ngram {
    /// Guesses the tokens after `tokens`: what followed when their end was last seen, and where that reaches the end
    /// itself, the same over again.
    pub(in crate::engine) fn guess(&mut self, tokens: &[u32], max: usize) -> Vec<u32> {
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
}

fn run_before(tokens: &[u32], end: usize) -> [u32; RUN] {
    std::array::from_fn(|place| tokens[end - RUN + place])
}

/// Tokens that must have been said before for what followed them to be a guess.
const RUN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_the_same_tokens_is_guessed() {
        let mut ngram = Ngram::default();
        assert_eq!(ngram.guess(&[1, 2, 3, 4, 5, 1, 2, 3], 4), [4, 5, 1, 2]);
        assert_eq!(ngram.guess(&[1, 2, 3, 4, 5, 1, 2, 3, 9], 4), [0; 0]);
        assert_eq!(ngram.guess(&[1, 2, 3, 4, 5, 1, 2, 3, 9, 1, 2, 3], 2), [9, 1], "the latest counts");
    }

    #[test]
    fn a_short_or_new_text_gives_no_guess() {
        let mut ngram = Ngram::default();
        for text in [&[1, 2][..], &[1, 2, 3], &[1, 2, 3, 4]] {
            assert_eq!(ngram.guess(text, 4), [0; 0]);
        }
    }

    #[test]
    fn a_text_that_goes_round_is_guessed_to_go_on() {
        let mut ngram = Ngram::default();
        assert_eq!(ngram.guess(&[7, 7, 7, 7], 3), [7, 7, 7]);
        assert_eq!(ngram.guess(&[7, 7, 7, 7, 1, 2, 3, 1, 2, 3], 5), [1, 2, 3, 1, 2]);
    }
}
