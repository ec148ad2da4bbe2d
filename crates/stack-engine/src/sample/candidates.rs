//! The tokens that may still be chosen.

use std::cmp::Ordering;

/// A token that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f32,
    /// Its share among the candidates, as of the last [`softmax`].
    pub(super) probability: f32,
}

impl Candidate {
    fn new(token: usize, logit: f32) -> Self {
        Self { token: token as u32, logit, probability: 0.0 }
    }

    /// Orders the most probable first, and the lower token first among equals.
    fn rank(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

/// Returns the token with the highest logit, the lowest of equals; `None` if no logit is above minus infinity.
pub(super) fn best(logits: &[f32]) -> Option<u32> {
    let mut best = None;
    let mut highest = f32::NEG_INFINITY;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > highest {
            highest = logit;
            best = Some(token as u32);
        }
    }
    best
}

/// Fills `candidates` with the `k` tokens of the highest logits, best first; with all of them if `k` is 0.
///
/// Vocabularies are large and `k` is small, so nothing is sorted before it is selected: tokens above the worst of the
/// best so far gather in the buffer, which shrinks to `k` whenever it is full.
pub(super) fn select(candidates: &mut Vec<Candidate>, logits: &[f32], k: usize) {
    candidates.clear();
    let k = if k == 0 { logits.len() } else { k.min(logits.len()) };
    let full = k.saturating_mul(2).max(1024);
    let mut floor = f32::NEG_INFINITY;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > floor {
            candidates.push(Candidate::new(token, logit));
            if candidates.len() >= full && k < logits.len() {
                keep_best(candidates, k);
                // Later tokens with the same logit rank behind.
                floor = candidates[k - 1].logit;
            }
        }
    }
    keep_best(candidates, k);
    candidates.sort_unstable_by(Candidate::rank);
}

/// Keeps the `k` best, the worst of them last.
fn keep_best(candidates: &mut Vec<Candidate>, k: usize) {
    if k > 0 && candidates.len() > k {
        candidates.select_nth_unstable_by(k - 1, Candidate::rank);
        candidates.truncate(k);
    }
}

/// Computes the probabilities of the candidates at a temperature. The best one must come first.
pub(super) fn softmax(candidates: &mut [Candidate], temperature: f32) {
    let Some(best) = candidates.first().map(|best| best.logit) else { return };
    let mut sum = 0.0_f64;
    for candidate in candidates.iter_mut() {
        let weight = (f64::from(candidate.logit - best) / f64::from(temperature)).exp();
        candidate.probability = weight as f32;
        sum += weight;
    }
    let scale = (1.0 / sum) as f32;
    for candidate in candidates {
        candidate.probability *= scale;
    }
}

/// Brings the candidates back into the order that [`select`] left them in.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by(Candidate::rank);
}

/// Makes candidates for tests: token `i` has the logarithm of the `i`-th probability as its logit.
#[cfg(test)]
pub(super) fn with_probabilities(probabilities: &[f32]) -> Vec<Candidate> {
    let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
    let mut candidates = Vec::new();
    select(&mut candidates, &logits, 0);
    candidates
}

/// Lists the tokens of candidates.
#[cfg(test)]
pub(super) fn tokens(candidates: &[Candidate]) -> Vec<u32> {
    candidates.iter().map(|candidate| candidate.token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_lowest_of_equals() {
        assert_eq!(best(&[1.0, 3.0, 3.0, 2.0]), Some(1));
        assert_eq!(best(&[f32::NEG_INFINITY; 4]), None);
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn selection_equals_sorting() {
        // A permutation of a large vocabulary, with each value twice.
        let logits: Vec<f32> = (0..50_000_u64).map(|i| (i * 7919 % 25_000) as f32).collect();
        let mut sorted: Vec<u32> = (0..50_000).collect();
        sorted.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        let mut candidates = Vec::new();
        for k in [1, 2, 40, 1023, 5000, 50_000, 60_000] {
            select(&mut candidates, &logits, k);
            assert_eq!(tokens(&candidates), sorted[..k.min(50_000)]);
        }
    }

    #[test]
    fn banned_tokens_are_never_selected() {
        let mut candidates = Vec::new();
        select(&mut candidates, &[f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY], 0);
        assert_eq!(tokens(&candidates), [1]);
    }

    #[test]
    fn softmax_divides_by_the_temperature() {
        let mut candidates = with_probabilities(&[0.8, 0.2]);
        softmax(&mut candidates, 1.0);
        assert!((candidates[0].probability - 0.8).abs() < 1e-6);
        softmax(&mut candidates, 0.5);
        // 0.64 : 0.04
        assert!((candidates[0].probability - 16.0 / 17.0).abs() < 1e-6);
    }
}
