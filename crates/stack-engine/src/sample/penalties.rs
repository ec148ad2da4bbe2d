//! Penalties for tokens that occurred recently.

use std::collections::HashMap;

/// The three penalties that count occurrences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Penalties {
    /// Divides positive logits and multiplies negative ones.
    pub(super) repeat: f32,
    /// Subtracted per occurrence.
    pub(super) frequency: f32,
    /// Subtracted once.
    pub(super) presence: f32,
    /// How many recent tokens are looked at.
    pub(super) last_n: usize,
}

impl Penalties {
    /// Returns whether they change anything.
    #[expect(clippy::float_cmp, reason = "off is exactly these values")]
    pub(super) fn act(&self) -> bool {
        self.last_n > 0 && (self.repeat != 1.0 || self.frequency != 0.0 || self.presence != 0.0)
    }

    /// Changes the logits of the tokens in the window.
    pub(super) fn apply(&self, logits: &mut [f32], window: &Window) {
        for (&token, &count) in &window.counts {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / self.repeat } else { *logit * self.repeat };
            *logit -= count as f32 * self.frequency + self.presence;
        }
    }
}

/// How often each of the last tokens occurred.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    counts: HashMap<u32, u32>,
}

impl Window {
    /// Takes in the last token of `history` and lets go of the one that is now too old.
    pub(super) fn advance(&mut self, history: &[u32], length: usize) {
        let Some(&token) = history.last() else { return };
        if length == 0 {
            return;
        }
        *self.counts.entry(token).or_insert(0) += 1;
        if let Some(old) = history.len().checked_sub(length + 1).map(|index| history[index])
            && let Some(count) = self.counts.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(history: &[u32], length: usize) -> Window {
        let mut window = Window::default();
        for end in 1..=history.len() {
            window.advance(&history[..end], length);
        }
        window
    }

    #[test]
    fn each_penalty_does_its_part() {
        let window = window(&[0, 1, 1, 9], 64);
        let mut logits = [2.0, -2.0, 3.0];
        let penalties = Penalties { repeat: 2.0, frequency: 0.25, presence: 0.5, last_n: 64 };
        penalties.apply(&mut logits, &window);
        // 2 / 2 − 0.25 − 0.5, −2 · 2 − 2 · 0.25 − 0.5, untouched.
        assert_eq!(logits, [0.25, -5.0, 3.0]);
    }

    #[test]
    fn the_window_forgets() {
        let mut counts: Vec<_> = window(&[5, 5, 6, 7, 6], 3).counts.into_iter().collect();
        counts.sort_unstable();
        assert_eq!(counts, [(6, 2), (7, 1)]);
        assert!(window(&[1, 2], 0).counts.is_empty());
    }

    #[test]
    fn penalties_at_their_neutral_values_do_not_act() {
        let neutral = Penalties { repeat: 1.0, frequency: 0.0, presence: 0.0, last_n: 64 };
        assert!(!neutral.act());
        assert!(Penalties { repeat: 1.1, ..neutral }.act());
        assert!(!Penalties { repeat: 1.1, last_n: 0, ..neutral }.act());
    }
}
