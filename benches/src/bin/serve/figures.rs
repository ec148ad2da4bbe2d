//! What is measured of a load.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use stack_benches::median;

use crate::client::Answer;

/// What the figures are called in a table.
pub(crate) const NAMES: [&str; 8] = [
    "wall, s",
    "tokens/s",
    "TTFT mean, ms",
    "TTFT p95, ms",
    "gap p50, ms",
    "gap p95, ms",
    "end p95, s",
    "fairness",
];

/// The figures of one load, in the order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Figures([f64; NAMES.len()]);

impl Figures {
    /// Sums up answers that took so long in all.
    pub(crate) fn new(answers: &[Answer], wall: Duration) -> Self {
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        let first: Vec<f64> = answers.iter().map(|answer| ms(&answer.first)).collect();
        let gaps: Vec<f64> = answers.iter().flat_map(|answer| &answer.gaps).map(ms).collect();
        let ends: Vec<f64> = answers.iter().map(|answer| answer.end.as_secs_f64()).collect();
        let tokens: u64 = answers.iter().map(|answer| answer.tokens).sum();
        let speeds: Vec<f64> =
            answers.iter().map(|answer| answer.tokens as f64 / answer.end.as_secs_f64()).collect();
        let wall = wall.as_secs_f64();
        let mean = first.iter().sum::<f64>() / first.len().max(1) as f64;
        Self([
            wall,
            tokens as f64 / wall,
            mean,
            percentile(&first, 95),
            percentile(&gaps, 50),
            percentile(&gaps, 95),
            percentile(&ends, 95),
            fairness(&speeds),
        ])
    }

    /// The median of each figure over several turns.
    pub(crate) fn medians(turns: &[Self]) -> Self {
        Self(std::array::from_fn(|index| {
            median(&mut turns.iter().map(|turn| turn.0[index]).collect::<Vec<_>>())
        }))
    }

    pub(crate) fn tokens_per_second(&self) -> f64 {
        self.0[1]
    }

    pub(crate) fn to_json(&self) -> Value {
        NAMES.iter().zip(self.0).map(|(&name, figure)| (name.to_owned(), json!(figure))).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<String> = self
            .0
            .iter()
            .map(|figure| if *figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.0}") })
            .collect();
        f.write_str(&cells.join(" | "))
    }
}

/// The least figure that so many of a hundred do not exceed; 0 without any.
fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

/// Jain's index (Jain, Chiu, Hawe 1984): 1 where all are served alike, 1/n where one of n gets everything.
fn fairness(speeds: &[f64]) -> f64 {
    let (sum, squares) = speeds.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    if squares > 0.0 { sum * sum / (speeds.len() as f64 * squares) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let figures: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!([50, 95, 100].map(|percent| percentile(&figures, percent) as u32), [10, 19, 20]);
        assert_eq!(percentile(&[], 50) as u32, 0);
    }

    #[test]
    fn fairness_is_one_for_all_alike() {
        assert!((fairness(&[2.0, 2.0]) - 1.0).abs() < 1e-9);
        assert!((fairness(&[4.0, 0.0]) - 0.5).abs() < 1e-9);
    }
}
