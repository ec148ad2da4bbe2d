//! Stages that drop unlikely (or too likely) tokens. All take candidates sorted best first and leave at least one.

use super::candidates::Candidates;

/// Keeps the smallest set whose probability reaches `p` (nucleus sampling, arXiv:1904.09751).
pub(super) fn top_p(candidates: &mut Candidates, p: f32) {
    if p >= 1.0 {
        return;
    }
    let mut sum = 0.0;
    let reached = candidates.probabilities().iter().position(|probability| {
        sum += probability;
        sum >= f64::from(p)
    });
    if let Some(last) = reached {
        candidates.truncate(last + 1);
    }
}

/// Keeps tokens at least `p` times as probable as the best (arXiv:2407.01082).
pub(super) fn min_p(candidates: &mut Candidates, p: f32) {
    if p <= 0.0 {
        return;
    }
    let sorted = candidates.sorted();
    let least = sorted[0].logit + p.ln();
    let count = sorted.iter().take_while(|candidate| candidate.logit >= least).count();
    candidates.truncate(count);
}

/// Keeps the tokens whose surprise is nearest to the expected one, up to probability `p` (arXiv:2202.00666).
pub(super) fn typical(candidates: &mut Candidates, p: f32) {
    if p >= 1.0 {
        return;
    }
    let probabilities = candidates.probabilities();
    let surprise = |probability: f64| -probability.max(f64::MIN_POSITIVE).ln();
    let entropy: f64 = probabilities.iter().map(|&probability| probability * surprise(probability)).sum();
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    let distance = |place: usize| (surprise(probabilities[place]) - entropy).abs();
    order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let mut kept = vec![false; probabilities.len()];
    let mut sum = 0.0;
    for place in order {
        kept[place] = true;
        sum += probabilities[place];
        if sum > f64::from(p) {
            break;
        }
    }
    candidates.retain_places(&kept);
}

/// Drops every token at least `threshold` probable but the least probable of them ("XTC").
pub(super) fn exclude_top_choices(candidates: &mut Candidates, threshold: f32) {
    let probabilities = candidates.probabilities();
    let above = probabilities.iter().take_while(|&&probability| probability >= f64::from(threshold)).count();
    candidates.drop_first(above.saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(probabilities: &[f32]) -> Candidates {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        let mut candidates = Candidates::default();
        candidates.fill(&logits);
        candidates.keep_best(0);
        candidates
    }

    fn tokens(candidates: &Candidates) -> Vec<u32> {
        candidates.sorted().iter().map(|candidate| candidate.token).collect()
    }

    #[test]
    fn top_k_keeps_the_best_in_order() {
        let mut all = Candidates::default();
        all.fill(&[1.0, 5.0, 3.0, 5.0, f32::NAN]);
        all.keep_best(3);
        assert_eq!(tokens(&all), [1, 3, 2]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        let mut all = candidates(&[0.5, 0.3, 0.15, 0.05]);
        top_p(&mut all, 0.7);
        assert_eq!(tokens(&all), [0, 1]);
        top_p(&mut all, 0.0);
        assert_eq!(tokens(&all), [0]);
    }

    #[test]
    fn min_p_is_relative_to_the_best() {
        let mut all = candidates(&[0.5, 0.3, 0.15, 0.05]);
        min_p(&mut all, 0.2);
        assert_eq!(tokens(&all), [0, 1, 2]);
    }

    #[test]
    fn typical_may_drop_the_most_probable_token() {
        // Entropy 1.28; surprises 0.69, 1.61 and 2.30: the second and third are nearest.
        let mut all = candidates(&[0.5, 0.2, 0.2, 0.1]);
        typical(&mut all, 0.35);
        assert_eq!(tokens(&all), [1, 2]);
    }

    #[test]
    fn xtc_leaves_the_least_probable_of_the_top_choices() {
        let mut all = candidates(&[0.5, 0.3, 0.15, 0.05]);
        exclude_top_choices(&mut all, 0.1);
        assert_eq!(tokens(&all), [2, 3]);
        exclude_top_choices(&mut all, 0.9);
        assert_eq!(tokens(&all), [2, 3], "a single top choice stays");
    }
}
