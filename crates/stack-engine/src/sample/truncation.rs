//! Cutting off improbable tokens: typical-p, top-p, min-p. (Top-k is [`super::candidates::select`].)
//!
//! Each takes candidates sorted best first, leaves them so, and always keeps at least one.

use super::candidates::{self, Candidate};

/// Keeps the tokens whose surprise is nearest to the expected one, up to a mass of `p`.
///
/// Meister, Pimentel, Wiher and Cotterell, "Locally typical sampling" (2022).
pub(super) fn typical_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 {
        return;
    }
    candidates::softmax(candidates, 1.0);
    let surprise = |candidate: &Candidate| -candidate.probability.ln();
    let entropy: f32 = candidates
        .iter()
        .filter(|candidate| candidate.probability > 0.0)
        .map(|candidate| candidate.probability * surprise(candidate))
        .sum();
    let distance = |candidate: &Candidate| (surprise(candidate) - entropy).abs();
    candidates.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    keep_mass(candidates, |sum| sum > p);
    candidates::sort(candidates);
}

/// Keeps the smallest set of the most probable tokens whose mass reaches `p`.
pub(super) fn top_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 {
        return;
    }
    candidates::softmax(candidates, 1.0);
    keep_mass(candidates, |sum| sum >= p);
}

/// Keeps the tokens that are at least `p` times as probable as the best.
pub(super) fn min_p(candidates: &mut Vec<Candidate>, p: f32) {
    let Some(best) = candidates.first().map(|best| best.logit) else { return };
    let floor = best + p.ln();
    let kept = candidates.partition_point(|candidate| candidate.logit >= floor);
    candidates.truncate(kept.max(1));
}

fn keep_mass(candidates: &mut Vec<Candidate>, reached: impl Fn(f32) -> bool) {
    let mut sum = 0.0;
    let last = candidates.iter().position(|candidate| {
        sum += candidate.probability;
        reached(sum)
    });
    if let Some(last) = last {
        candidates.truncate(last + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::candidates::{tokens, with_probabilities};
    use super::*;

    #[test]
    fn top_p_keeps_the_token_that_reaches_the_mass() {
        for (p, kept) in [(0.0, 1), (0.4, 1), (0.6, 2), (0.75, 3), (0.95, 4), (1.0, 4)] {
            let mut candidates = with_probabilities(&[0.4, 0.3, 0.2, 0.1]);
            top_p(&mut candidates, p);
            assert_eq!(candidates.len(), kept, "top_p {p}");
        }
    }

    #[test]
    fn min_p_is_relative_to_the_best() {
        for (p, kept) in [(0.0, 4), (0.26, 3), (0.6, 2), (0.8, 1), (1.0, 1)] {
            let mut candidates = with_probabilities(&[0.4, 0.3, 0.2, 0.1]);
            min_p(&mut candidates, p);
            assert_eq!(candidates.len(), kept, "min_p {p}");
        }
    }

    #[test]
    fn typical_p_drops_the_obvious_first() {
        // Entropy 1.0889; the surprises 0.511, 1.609, 1.609 and 2.303 are 0.578, 0.521, 0.521 and 1.214 away.
        let mut candidates = with_probabilities(&[0.6, 0.2, 0.2, 0.1].map(|p| p / 1.1));
        typical_p(&mut candidates, 0.3);
        assert_eq!(tokens(&candidates), [1, 2]);
        let mut candidates = with_probabilities(&[0.6, 0.2, 0.2, 0.1].map(|p| p / 1.1));
        typical_p(&mut candidates, 0.8);
        assert_eq!(tokens(&candidates), [0, 1, 2]);
    }
}
