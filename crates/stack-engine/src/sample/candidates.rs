//! The tokens that may still be chosen.

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f32,
}

/// The tokens that may still be chosen; the buffer is kept from token to token.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
    /// Whether the list is sorted, best first. Until then a token's place is its id.
    sorted: bool,
    weights: Vec<f64>,
}

impl Candidates {
    /// Starts over with all tokens. What is not a number is never chosen.
    pub(super) fn fill(&mut self, logits: &[f32]) {
        self.list.clear();
        self.list.extend(logits.iter().enumerate().map(|(token, &logit)| Candidate {
            token: token as u32,
            logit: if logit.is_nan() { f32::NEG_INFINITY } else { logit },
        }));
        self.sorted = false;
    }

    /// Adds to the logit of one token.
    pub(super) fn add(&mut self, token: u32, bias: f32) {
        self.change(token, |logit| logit + bias);
    }

    /// Changes the logit of one token. A change to something that is not a number bans it.
    pub(super) fn change(&mut self, token: u32, change: impl FnOnce(f32) -> f32) {
        debug_assert!(!self.sorted, "places are ids only before truncation");
        if let Some(candidate) = self.list.get_mut(token as usize) {
            let changed = change(candidate.logit);
            candidate.logit = if changed.is_nan() { f32::NEG_INFINITY } else { changed };
        }
    }

    /// Bans what is not allowed.
    pub(super) fn keep_allowed(&mut self, is_allowed: impl Fn(u32) -> bool) {
        debug_assert!(!self.sorted, "penalties and truncation come later");
        for candidate in self.list.iter_mut().filter(|candidate| !is_allowed(candidate.token)) {
            candidate.logit = f32::NEG_INFINITY;
        }
    }

    /// The most probable token, the lowest id among equals; `None` if none can be chosen.
    pub(super) fn best(&self) -> Option<u32> {
        let best = self.list.iter().fold(None, |best: Option<Candidate>, &next| match best {
            Some(best) if best.logit >= next.logit => Some(best),
            _ => Some(next),
        })?;
        (best.logit > f32::NEG_INFINITY).then_some(best.token)
    }

    /// Sorts, and keeps the `count` most probable ones; 0 keeps all that can be chosen.
    pub(super) fn keep_best(&mut self, count: usize) {
        let order = |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token));
        if count > 0 && count < self.list.len() {
            self.list.select_nth_unstable_by(count - 1, order);
            self.list.truncate(count);
        }
        self.list.retain(|candidate| candidate.logit > f32::NEG_INFINITY);
        self.list.sort_unstable_by(order);
        self.sorted = true;
    }

    /// The candidates, best first.
    pub(super) fn sorted(&self) -> &[Candidate] {
        debug_assert!(self.sorted);
        &self.list
    }

    /// Keeps the first `count`, at least one.
    pub(super) fn truncate(&mut self, count: usize) {
        self.list.truncate(count.max(1));
    }

    /// Drops the first `count`, but never all.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.list.len().saturating_sub(1));
        self.list.drain(..count);
    }

    /// Keeps the candidates whose place is in `kept`, in their order.
    pub(super) fn retain_places(&mut self, kept: &[bool]) {
        let mut place = 0;
        self.list.retain(|_| {
            place += 1;
            kept[place - 1]
        });
    }

    /// The probabilities at temperature 1, in order; they sum to 1.
    pub(super) fn probabilities(&self) -> Vec<f64> {
        let mut weights = Vec::with_capacity(self.list.len());
        softmax_into(&self.list, 1.0, &mut weights);
        weights
    }

    /// Draws one with a number from 0 (included) to 1 (excluded).
    pub(super) fn draw(&mut self, temperature: f32, uniform: f64) -> u32 {
        softmax_into(&self.list, temperature, &mut self.weights);
        let mut sum = 0.0;
        for (candidate, weight) in self.list.iter().zip(&self.weights) {
            sum += weight;
            if uniform < sum {
                return candidate.token;
            }
        }
        // Rounding may leave the sum a little short of one.
        self.list[self.list.len() - 1].token
    }
}

fn softmax_into(list: &[Candidate], temperature: f32, weights: &mut Vec<f64>) {
    let max = list.iter().map(|candidate| candidate.logit).fold(f32::NEG_INFINITY, f32::max);
    weights.clear();
    if max == f32::INFINITY {
        // An infinite bias makes its tokens certain.
        weights.extend(list.iter().map(|candidate| f64::from(u8::from(candidate.logit == max))));
    } else {
        let scaled = |logit: f32| (f64::from(logit - max) / f64::from(temperature)).exp();
        weights.extend(list.iter().map(|candidate| scaled(candidate.logit)));
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
}
