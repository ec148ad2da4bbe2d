//! Log-probabilities of the model's own distribution.

/// Returns the log-probability of `token` and the `count` most probable tokens with theirs, best first.
pub(super) fn of(logits: &[f32], token: u32, count: usize) -> (f32, Vec<(u32, f32)>) {
    let number = |logit: f32| if logit.is_nan() { f32::NEG_INFINITY } else { logit };
    let max = logits.iter().copied().map(number).fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(number(logit) - max).exp()).sum();
    let norm = max + sum.ln() as f32;
    let logprob = |token: u32| number(logits[token as usize]) - norm;
    let order = |a: &u32, b: &u32| logprob(*b).total_cmp(&logprob(*a)).then(a.cmp(b));
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    let count = count.min(tokens.len());
    if count > 0 && count < tokens.len() {
        tokens.select_nth_unstable_by(count - 1, order);
    }
    tokens.truncate(count);
    tokens.sort_unstable_by(order);
    (logprob(token), tokens.into_iter().map(|token| (token, logprob(token))).collect())
}
