//! Log-probabilities under the logits as the model gave them.

use super::candidates::{self, Candidate};

/// Returns the logarithm of the sum of the exponentials, from which each log-probability follows.
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !highest.is_finite() {
        return highest;
    }
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - highest).exp()).sum();
    highest + sum.ln() as f32
}

/// Lists the `count` most probable tokens, best first.
pub(super) fn top(logits: &[f32], count: usize, sum: f32, scratch: &mut Vec<Candidate>) -> Vec<(u32, f32)> {
    if count == 0 {
        return Vec::new();
    }
    candidates::select(scratch, logits, count);
    scratch.iter().map(|candidate| (candidate.token, candidate.logit - sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [1000.0, 1001.0, 999.0, f32::NEG_INFINITY];
        let sum = log_sum_exp(&logits);
        let total: f32 = logits.iter().map(|logit| (logit - sum).exp()).sum();
        assert!((total - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_top_is_sorted() {
        let logits = [0.5_f32.ln(), 0.125_f32.ln(), 0.375_f32.ln()];
        let top = top(&logits, 2, log_sum_exp(&logits), &mut Vec::new());
        assert_eq!(top.iter().map(|entry| entry.0).collect::<Vec<_>>(), [0, 2]);
        assert!((top[1].1 - 0.375_f32.ln()).abs() < 1e-6);
    }
}
