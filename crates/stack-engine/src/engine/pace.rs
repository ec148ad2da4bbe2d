//! How much a step may compute so that it does not take too long. A pure machine: durations of steps in, budgets out.
//!
//! A step that computes a piece of a long prompt keeps everybody waiting: those whose answers are under way, and whoever
//! comes next. So steps are sized by time. What a token of a prompt and a row of a decode cost differs between models by
//! a factor of a thousand, and grows with the depth of the prompt; it is learned from the steps themselves.

use std::time::Duration;

/// What the last steps took.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Seconds of a step without prompts, by the power of two that its rows come to.
    decode: [Option<f64>; CLASSES],
    /// Seconds that a token of a prompt adds to a step.
    prompt_token: Option<f64>,
}

/// What a step computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepSize {
    /// Tokens of prompts.
    pub(super) prompt: usize,
    /// Rows of answers, guessed tokens included.
    pub(super) rows: usize,
}

/// Guesses that an answer should make, and what a step with them promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wager {
    pub(super) guesses: usize,
    /// Of all answers in the step together.
    pub(super) tokens_per_second: f64,
}

impl Pace {
    /// Where a step takes as long for many rows as for one.
    #[cfg(test)]
    pub(super) fn where_rows_are_free() -> Self {
        Self { decode: [Some(1e-3); CLASSES], prompt_token: None }
    }

    /// Learns from a step.
    pub(super) fn learn(&mut self, step: StepSize, took: Duration) {
        let seconds = took.as_secs_f64();
        match step {
            StepSize { prompt: 0, rows: 0 } => {}
            StepSize { prompt: 0, rows } => blend(&mut self.decode[class(rows)], seconds),
            // So few tokens say more of the weights that are read once per step.
            StepSize { prompt, .. } if prompt < TOKENS_MIN => {}
            StepSize { prompt, rows } => {
                let others = if rows == 0 { 0.0 } else { self.seconds(rows).unwrap_or(0.0) };
                blend(&mut self.prompt_token, (seconds - others).max(0.0) / prompt as f64);
            }
        }
    }

    /// The tokens of prompts that the next step may compute beside so many rows of answers.
    pub(super) fn prompt_tokens(&self, rows: usize, max: usize) -> usize {
        let Some(per_token) = self.prompt_token else { return TOKENS_UNKNOWN.min(max) };
        let (seconds, least) = if rows == 0 {
            (STEP_ALONE_S, TOKENS_ALONE_MIN)
        } else {
            let others = self.seconds(rows).unwrap_or(0.0);
            // Where decoding alone is slow, its readers wait at most twice as long.
            (STEP_S.max(2.0 * others) - others, TOKENS_MIN)
        };
        let tokens = seconds / per_token.max(f64::MIN_POSITIVE);
        (tokens as usize).clamp(least.min(max), max)
    }

    /// How many tokens an answer should guess ahead in a step of so many rows, where each guess holds with this
    /// probability and takes so many seconds to make: what yields the most tokens per second, at most `max`. `None` as
    /// long as nothing is known of such steps.
    pub(super) fn guesses(&self, rows: usize, holds: f64, seconds: f64, max: usize) -> Option<Wager> {
        let now = self.seconds(rows)?;
        let wager = |guesses: usize| {
            // 1 + p + p² + … : the row's own token, and as many guesses as hold in a row.
            let own = (1.0 - holds.powi(guesses as i32 + 1)) / (1.0 - holds);
            let takes = self.seconds(rows + guesses).unwrap_or(now) + guesses as f64 * seconds;
            Wager { guesses, tokens_per_second: (rows as f64 - 1.0 + own) / takes }
        };
        (0..=max).rev().map(wager).max_by(|a, b| a.tokens_per_second.total_cmp(&b.tokens_per_second))
    }

    /// Seconds of a step with so many rows: as measured, or as the nearest smaller one that was measured and a guess for
    /// the difference.
    pub(super) fn seconds(&self, rows: usize) -> Option<f64> {
        let at = class(rows);
        let (below, seconds) = (0..=at).rev().find_map(|class| Some((class, self.decode[class]?)))?;
        let more = rows.saturating_sub(1 << below);
        Some(if below == at {
            seconds
        } else {
            seconds * (1.0 + ROW_COST * more as f64 / (1 << below) as f64)
        })
    }
}

fn class(rows: usize) -> usize {
    (rows.max(1).next_power_of_two().trailing_zeros() as usize).min(CLASSES - 1)
}

/// A running mean that forgets.
fn blend(mean: &mut Option<f64>, value: f64) {
    *mean = Some(mean.map_or(value, |mean| mean + (value - mean) * WEIGHT));
}

/// Up to 1, 2, 4, … rows.
const CLASSES: usize = 8;
/// The part that the latest step has in a mean.
const WEIGHT: f64 = 0.2;
/// A step beside answers: a person does not see such gaps between tokens.
const STEP_S: f64 = 0.035;
/// A step in which nobody waits for a token, though somebody new may.
const STEP_ALONE_S: f64 = 0.080;
const TOKENS_MIN: usize = 16;
/// Smaller pieces of a prompt waste what reading the weights costs.
const TOKENS_ALONE_MIN: usize = 128;
/// Before anything was measured.
const TOKENS_UNKNOWN: usize = 64;
/// What a row adds to a step of one row, until it was measured.
const ROW_COST: f64 = 0.12;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: f64) -> Duration {
        Duration::from_secs_f64(milliseconds / 1e3)
    }

    fn steps(steps: &[(usize, usize, f64)]) -> Pace {
        let mut pace = Pace::default();
        for &(prompt, rows, took) in steps {
            pace.learn(StepSize { prompt, rows }, ms(took));
        }
        pace
    }

    #[test]
    fn a_step_beside_answers_takes_as_long_as_readers_bear() {
        // 4 ms for an answer's row, 0.25 ms for a token of a prompt.
        let pace = steps(&[(0, 1, 4.0), (100, 1, 29.0)]);
        assert_eq!(pace.prompt_tokens(1, 512), 124);
        assert_eq!(pace.prompt_tokens(0, 512), 320);
        assert_eq!(pace.prompt_tokens(0, 200), 200, "the caller's limit holds");
    }

    #[test]
    fn a_slow_model_still_gets_on_with_prompts() {
        // 150 ms for a row, 30 ms for a token.
        let pace = steps(&[(0, 1, 150.0), (32, 1, 1110.0)]);
        assert_eq!(pace.prompt_tokens(1, 512), TOKENS_MIN);
        assert_eq!(pace.prompt_tokens(0, 512), TOKENS_ALONE_MIN);
    }

    #[test]
    fn unmeasured_prompts_start_small() {
        assert_eq!(Pace::default().prompt_tokens(1, 512), TOKENS_UNKNOWN);
    }

    #[test]
    fn guesses_are_many_where_they_hold_and_cost_little() {
        let pace = steps(&[(0, 1, 4.0), (0, 2, 4.2), (0, 4, 4.6), (0, 8, 5.5)]);
        let guesses = |holds| pace.guesses(1, holds, 0.0, 7).unwrap().guesses;
        assert_eq!((guesses(0.95), guesses(0.01)), (7, 0));
        assert!((1..7).contains(&guesses(0.5)));
        assert_eq!(Pace::default().guesses(1, 0.9, 0.0, 7), None, "nothing is known");
    }

    #[test]
    fn guesses_are_few_where_making_them_takes_long() {
        let pace = steps(&[(0, 1, 4.0), (0, 2, 4.2), (0, 4, 4.6), (0, 8, 5.5)]);
        let wager = |holds, seconds| pace.guesses(1, holds, seconds, 7).unwrap();
        assert_eq!(wager(0.9, 4e-3).guesses, 0, "as long as the model itself");
        assert!((1..7).contains(&wager(0.8, 0.5e-3).guesses));
        assert!(wager(0.8, 0.5e-3).tokens_per_second < wager(0.8, 0.0).tokens_per_second);
    }

    #[test]
    fn guesses_are_none_where_rows_are_what_costs() {
        let pace = steps(&[(0, 16, 40.0), (0, 32, 80.0)]);
        assert_eq!(pace.guesses(16, 0.5, 0.0, 8).unwrap().guesses, 0);
    }
}
