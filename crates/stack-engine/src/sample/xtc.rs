//! "Exclude top choices": now and then drops the most probable tokens, so that text takes unexpected turns.

use stack_chat::Xtc;

use super::candidates::{self, Candidate};

/// Drops all but the least probable of the tokens above the threshold, if `draw` (from [0, 1)) says so.
///
/// The candidates are sorted best first.
pub(super) fn exclude(candidates: &mut Vec<Candidate>, xtc: Xtc, draw: f64) {
    // Two tokens cannot both be more probable than a half.
    if draw >= f64::from(xtc.probability) || xtc.threshold > 0.5 || candidates.len() < 2 {
        return;
    }
    candidates::softmax(candidates, 1.0);
    let above = candidates.partition_point(|candidate| candidate.probability >= xtc.threshold);
    if above >= 2 {
        candidates.drain(..above - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::candidates::{tokens, with_probabilities};
    use super::*;

    fn excluded(probability: f32, threshold: f32, draw: f64) -> Vec<u32> {
        let mut candidates = with_probabilities(&[0.4, 0.3, 0.2, 0.1]);
        exclude(&mut candidates, Xtc { probability, threshold }, draw);
        tokens(&candidates)
    }

    #[test]
    fn the_least_probable_token_above_the_threshold_stays() {
        assert_eq!(excluded(1.0, 0.15, 0.999), [2, 3]);
        assert_eq!(excluded(1.0, 0.25, 0.0), [1, 2, 3]);
        assert_eq!(excluded(1.0, 0.0, 0.0), [3]);
    }

    #[test]
    fn nothing_happens_without_two_tokens_above_the_threshold_or_by_chance() {
        assert_eq!(excluded(1.0, 0.35, 0.0), [0, 1, 2, 3]);
        assert_eq!(excluded(1.0, 0.6, 0.0), [0, 1, 2, 3]);
        assert_eq!(excluded(0.5, 0.15, 0.5), [0, 1, 2, 3]);
        assert_eq!(excluded(0.0, 0.15, 0.0), [0, 1, 2, 3]);
    }
}
