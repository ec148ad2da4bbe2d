//! Penalties on tokens that occurred recently.

use std::collections::{HashMap, VecDeque};

use super::candidates::Candidates;
use super::parameters::SamplingParameters;

/// Counts recent tokens and penalizes them.
#[derive(Clone, Debug)]
pub(super) struct Penalties {
    repeat: f32,
    frequency: f32,
    presence: f32,
    last_n: usize,
    recent: VecDeque<u32>,
    counts: HashMap<u32, u32>,
}

impl Penalties {
    pub(super) fn new(parameters: &SamplingParameters) -> Self {
        let neutral = parameters.repeat_penalty == 1.0
            && parameters.frequency_penalty == 0.0
            && parameters.presence_penalty == 0.0;
        Self {
            repeat: parameters.repeat_penalty,
            frequency: parameters.frequency_penalty,
            presence: parameters.presence_penalty,
            last_n: if neutral { 0 } else { parameters.repeat_last_n },
            recent: VecDeque::new(),
            counts: HashMap::new(),
        }
    }

    pub(super) fn accept(&mut self, token: u32) {
        if self.last_n == 0 {
            return;
        }
        if self.recent.len() == self.last_n
            && let Some(oldest) = self.recent.pop_front()
            && let Some(count) = self.counts.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&oldest);
            }
        }
        self.recent.push_back(token);
        *self.counts.entry(token).or_insert(0) += 1;
    }

    pub(super) fn apply(&self, candidates: &mut Candidates) {
        for (&token, &count) in &self.counts {
            candidates.change(token, |logit| {
                // Dividing a negative logit would make the token more probable.
                let logit = if logit <= 0.0 { logit * self.repeat } else { logit / self.repeat };
                logit - count as f32 * self.frequency - self.presence
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalties(repeat: f32, frequency: f32, presence: f32, last_n: usize) -> Penalties {
        Penalties { repeat, frequency, presence, last_n, recent: VecDeque::new(), counts: HashMap::new() }
    }

    fn after(penalties: &Penalties, logits: &[f32]) -> Vec<f32> {
        let mut candidates = Candidates::default();
        candidates.fill(logits);
        penalties.apply(&mut candidates);
        let mut all: Vec<_> = {
            candidates.keep_best(0);
            candidates.sorted().to_vec()
        };
        all.sort_by_key(|candidate| candidate.token);
        all.iter().map(|candidate| candidate.logit).collect()
    }

    #[test]
    fn the_repeat_penalty_pushes_logits_of_either_sign_down() {
        let mut penalties = penalties(2.0, 0.0, 0.0, 8);
        penalties.accept(0);
        penalties.accept(1);
        assert_eq!(after(&penalties, &[4.0, -4.0, 4.0]), [2.0, -8.0, 4.0]);
    }

    #[test]
    fn frequency_counts_and_presence_does_not() {
        let mut penalties = penalties(1.0, 0.5, 0.25, 8);
        penalties.accept(0);
        penalties.accept(0);
        assert_eq!(after(&penalties, &[4.0, 4.0]), [2.75, 4.0]);
    }

    #[test]
    fn tokens_that_left_the_window_are_forgiven() {
        let mut penalties = penalties(1.0, 1.0, 0.0, 2);
        for token in [0, 1, 1] {
            penalties.accept(token);
        }
        assert_eq!(after(&penalties, &[4.0, 4.0]), [4.0, 2.0]);
    }
}
