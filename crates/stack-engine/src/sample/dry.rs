//! "Don't repeat yourself": penalizes tokens that would continue a sequence seen before.
//!
//! The longer the end of the text has occurred before, the more the token that followed it then is penalized now:
//! `multiplier · base^(length − allowed_length)`. Sequences do not reach over a breaker.
//!
//! ```text
//! reach   = tokens behind the last breaker
//! for each earlier position: length = how far the text before it equals the end of the text, at most reach
//!     the token at that position is penalized by its greatest length, if that is allowed_length or more
//! ```
//!
//! All lengths come from one pass of the Z algorithm over the reversed text (Gusfield, "Algorithms on strings, trees
//! and sequences", 1997), so that a long context costs linear time.

use std::collections::HashMap;

use stack_chat::Dry;

/// The state of one choice.
#[derive(Clone, Debug)]
pub(super) struct Repetition {
    dry: Dry,
    /// Token sequences that end a repetition.
    breakers: Vec<Vec<u32>>,
    /// Scratch: `lengths[i]` is how many tokens before the `i`-th last one equal the last ones.
    lengths: Vec<usize>,
    /// Scratch: the greatest length by token.
    greatest: HashMap<u32, usize>,
}

impl Repetition {
    /// Returns `None` if the penalty is off.
    pub(super) fn new(dry: &Dry, breakers: Vec<Vec<u32>>) -> Option<Self> {
        let acts = dry.multiplier > 0.0 && dry.base >= 1.0 && dry.last_n != Some(0);
        let breakers = breakers.into_iter().filter(|breaker| !breaker.is_empty()).collect();
        acts.then(|| Self { dry: dry.clone(), breakers, lengths: Vec::new(), greatest: HashMap::new() })
    }

    /// Changes the logits of tokens that would continue a repetition.
    pub(super) fn apply(&mut self, logits: &mut [f32], history: &[u32]) {
        let window = self.dry.last_n.map_or(history.len(), |n| history.len().min(n as usize));
        let recent = &history[history.len() - window..];
        let allowed = self.dry.allowed_length as usize;
        let reach = self.reach(recent);
        if recent.len() <= allowed || reach < allowed.max(1) {
            return;
        }
        repeated_lengths(recent, &mut self.lengths);
        self.greatest.clear();
        for back in 1..recent.len() {
            let length = self.lengths[back].min(reach);
            if length >= allowed.max(1) {
                let next = recent[recent.len() - back];
                let greatest = self.greatest.entry(next).or_insert(0);
                *greatest = length.max(*greatest);
            }
        }
        for (&token, &length) in &self.greatest {
            let breaks = self.breakers.iter().any(|breaker| breaker.as_slice() == [token]);
            if let Some(logit) = logits.get_mut(token as usize).filter(|_| !breaks) {
                let power = self.dry.base.powf((length - allowed) as f32).min(PENALTY_MAX);
                *logit -= (self.dry.multiplier * power).min(PENALTY_MAX);
            }
        }
    }

    /// Counts the tokens behind the last breaker.
    fn reach(&self, recent: &[u32]) -> usize {
        (0..recent.len())
            .find(|&back| {
                let before = &recent[..recent.len() - back];
                self.breakers.iter().any(|breaker| before.ends_with(breaker))
            })
            .unwrap_or(recent.len())
    }
}

/// Sets `lengths[back]` to how many tokens up to the one `back` places before the end equal the tokens up to the end.
fn repeated_lengths(tokens: &[u32], lengths: &mut Vec<usize>) {
    let last = |back: usize| tokens[tokens.len() - 1 - back];
    lengths.clear();
    lengths.resize(tokens.len(), 0);
    let (mut left, mut right) = (0, 0);
    for back in 1..tokens.len() {
        let mut length = if back < right { lengths[back - left].min(right - back) } else { 0 };
        while back + length < tokens.len() && last(length) == last(back + length) {
            length += 1;
        }
        lengths[back] = length;
        if back + length > right {
            (left, right) = (back, back + length);
        }
    }
}

/// Finds the tokens whose bytes contain one of the texts: each of them breaks a sequence by itself.
pub fn breaker_tokens<'a>(
    texts: &[String],
    vocabulary: impl Iterator<Item = (u32, &'a [u8])>,
) -> Vec<Vec<u32>> {
    let contains = |bytes: &[u8], text: &str| {
        !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    vocabulary
        .filter(|(_, bytes)| texts.iter().any(|text| contains(bytes, text)))
        .map(|(token, _)| vec![token])
        .collect()
}

/// Enough to ban any token, and far from overflow.
const PENALTY_MAX: f32 = 1e30;

#[cfg(test)]
mod tests {
    use super::*;

    const A: u32 = 0;
    const B: u32 = 1;
    const C: u32 = 2;
    const Y: u32 = 3;

    fn penalties(dry: &Dry, breakers: &[&[u32]], history: &[u32]) -> [f32; 4] {
        let mut logits = [0.0; 4];
        let breakers = breakers.iter().map(|breaker| breaker.to_vec()).collect();
        Repetition::new(dry, breakers).unwrap().apply(&mut logits, history);
        logits.map(|logit| -logit)
    }

    fn dry() -> Dry {
        Dry { multiplier: 1.0, base: 2.0, allowed_length: 1, ..Dry::default() }
    }

    #[test]
    fn lengths_are_those_of_repeated_ends() {
        let mut lengths = Vec::new();
        repeated_lengths(&[A, B, C, C, B, C, Y, A, B, C], &mut lengths);
        // From the end: the last token itself, B, A, Y, then "b c" again, B, "c", "a b c" again, B, A.
        assert_eq!(lengths, [0, 0, 0, 0, 2, 0, 1, 3, 0, 0]);
    }

    #[test]
    fn the_token_that_followed_before_is_penalized_by_length() {
        let history = [A, B, C, C, B, C, Y, A, B, C];
        // "a b c" was followed by c, "b c" by y, "c" by b.
        assert_eq!(penalties(&dry(), &[], &history), [0.0, 1.0, 4.0, 2.0]);
        let longer = Dry { allowed_length: 3, ..dry() };
        assert_eq!(penalties(&longer, &[], &history), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn breakers_limit_the_length_and_are_never_penalized() {
        let history = [A, B, C, C, B, C, Y, A, B, C];
        assert_eq!(penalties(&dry(), &[&[A]], &history), [0.0, 1.0, 2.0, 2.0]);
        assert_eq!(penalties(&dry(), &[&[A, B]], &history), [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(penalties(&dry(), &[&[Y]], &history), [0.0, 1.0, 4.0, 0.0]);
        assert_eq!(penalties(&dry(), &[&[C]], &history), [0.0; 4]);
    }

    #[test]
    fn only_the_window_is_searched() {
        let history = [A, B, C, C, B, C, Y, A, B, C];
        let short = Dry { last_n: Some(6), ..dry() };
        assert_eq!(penalties(&short, &[], &history), [0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn a_very_long_repetition_stays_finite() {
        let history = vec![A; 5000];
        let [a, ..] = penalties(&dry(), &[], &history);
        assert!(a.is_finite() && a > 1e20);
    }

    #[test]
    fn breaker_tokens_contain_a_breaker() {
        let vocabulary = [(4, b"a:".as_slice()), (5, b"b"), (6, b"\n\n"), (7, b"")];
        let texts = [":".to_owned(), "\n".to_owned(), String::new()];
        assert_eq!(breaker_tokens(&texts, vocabulary.into_iter()), [vec![4], vec![6]]);
    }

    #[test]
    fn it_is_off_by_default() {
        assert!(Repetition::new(&Dry::default(), Vec::new()).is_none());
    }
}
