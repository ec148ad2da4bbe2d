//! Rotary position embeddings (`RoFormer`, arXiv:2104.09864) and their scalings.

/// Everything that turns a position into angles.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSpec {
    /// Which dimensions form a pair.
    pub rotation: Rotation,
    /// How many leading dimensions of a head are rotated; even.
    pub dimensions: usize,
    /// The base of the geometric series of frequencies.
    pub base: f32,
    /// Positions are divided by this.
    pub factor: f32,
    /// Stretches only the low frequencies (`YaRN`, arXiv:2309.00071).
    pub yarn: Option<Yarn>,
    /// Multiplies the rotated vectors.
    pub magnitude: f32,
    /// Pairs from here on are not rotated (the unused section of a multimodal rotation).
    pub pairs_rotated: usize,
    /// Whether this layer honours the file's per-pair frequency divisors (`rope_freqs`, `rope_factors_*`).
    pub divisors: bool,
}

/// Which dimensions form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// 2i and 2i + 1 ("norm").
    Adjacent,
    /// i and i + r/2 ("neox").
    Halves,
}

/// `YaRN`'s parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// Tokens of the original training.
    pub context: f32,
    /// Above this many rotations over the original context a frequency is kept.
    pub beta_fast: f32,
    /// Below this many it is divided by the factor.
    pub beta_slow: f32,
}

impl RopeSpec {
    /// Returns the angle per position of each pair, `dimensions / 2` values. `divisors` come from the file.
    pub fn frequencies(&self, divisors: Option<&[f32]>) -> Vec<f32> {
        let pairs = self.dimensions / 2;
        let ramp = self
            .yarn
            .map(|yarn| (self.correction(yarn.beta_fast, yarn), self.correction(yarn.beta_slow, yarn)));
        (0..pairs)
            .map(|pair| {
                if pair >= self.pairs_rotated {
                    return 0.0;
                }
                let original = self.base.powf(-2.0 * pair as f32 / self.dimensions as f32);
                let original = match divisors {
                    Some(divisors) if self.divisors => original / divisors.get(pair).copied().unwrap_or(1.0),
                    _ => original,
                };
                let interpolated = original / self.factor;
                match ramp {
                    None => interpolated,
                    Some((fast, slow)) => {
                        let low = fast.floor().max(0.0);
                        let high = slow.ceil().min(self.dimensions as f32 - 1.0);
                        let place = (pair as f32 - low) / (high - low).max(0.001);
                        let keep = 1.0 - place.clamp(0.0, 1.0);
                        interpolated * (1.0 - keep) + original * keep
                    }
                }
            })
            .collect()
    }

    /// The pair (as a real number) that turns `rotations` times over the original context.
    fn correction(&self, rotations: f32, yarn: Yarn) -> f32 {
        self.dimensions as f32 * (yarn.context / (rotations * 2.0 * std::f32::consts::PI)).ln()
            / (2.0 * self.base.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> RopeSpec {
        RopeSpec {
            rotation: Rotation::Halves,
            dimensions: 8,
            base: 10000.0,
            factor: 1.0,
            yarn: None,
            magnitude: 1.0,
            pairs_rotated: 4,
            divisors: true,
        }
    }

    #[test]
    fn frequencies_fall_geometrically() {
        let found = plain().frequencies(None);
        for (found, expected) in found.iter().zip([1.0, 0.1, 0.01, 0.001]) {
            assert!((found / expected - 1.0f32).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn divisors_divide_only_where_the_layer_honours_them() {
        let divisors = [2.0, 2.0, 2.0, 2.0];
        assert_eq!(plain().frequencies(Some(&divisors))[0], 0.5);
        let ignoring = RopeSpec { divisors: false, ..plain() };
        assert_eq!(ignoring.frequencies(Some(&divisors))[0], 1.0);
    }

    #[test]
    fn yarn_keeps_fast_pairs_and_stretches_slow_ones() {
        let yarn = Yarn { context: 4096.0, beta_fast: 32.0, beta_slow: 1.0 };
        let spec = RopeSpec { dimensions: 128, pairs_rotated: 64, factor: 4.0, yarn: Some(yarn), ..plain() };
        let plain = RopeSpec { dimensions: 128, pairs_rotated: 64, ..plain() };
        let (stretched, original) = (spec.frequencies(None), plain.frequencies(None));
        assert_eq!(stretched[0], original[0]);
        assert!((stretched[63] * 4.0 / original[63] - 1.0).abs() < 1e-5);
    }
}
