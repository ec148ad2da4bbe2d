//! Biases by distance (`ALiBi`, arXiv:2108.12409).

use super::AttentionSpec;

impl AttentionSpec {
    /// The slope of each head, where scores are biased by distance.
    pub fn slopes(&self) -> Option<Vec<f32>> {
        (self.alibi_max > 0.0).then(|| slopes(self.heads, self.alibi_max))
    }
}

/// The slopes of so many heads: a geometric series, interleaved with a finer one for the heads beyond the last power of
/// two.
pub(crate) fn slopes(heads: usize, max: f32) -> Vec<f32> {
    let even = 1usize << heads.ilog2();
    (0..heads)
        .map(|head| {
            let exponent = if head < even {
                (head + 1) as f32 / even as f32
            } else {
                (2 * (head - even) + 1) as f32 / (2 * even) as f32
            };
            (-max * exponent).exp2()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::slopes;

    #[test]
    fn slopes_of_eight_heads_are_powers_of_two() {
        let expected: Vec<f32> = (1..=8).map(|n| 2f32.powi(-n)).collect();
        assert_eq!(slopes(8, 8.0), expected);
    }

    #[test]
    fn slopes_beyond_a_power_of_two_lie_between_the_others() {
        let slopes = slopes(12, 8.0);
        assert_eq!(slopes[8], 2f32.powf(-0.5));
        assert_eq!(slopes[9], 2f32.powf(-1.5));
    }
}
