//! `RMSNorm` (arXiv:1910.07467) and `LayerNorm` (arXiv:1607.06450).

use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes, load_part};

impl Cpu {
    /// Writes x / √(mean x² + ε), times the weight, for each row of `width`.
    ///
    /// A weight that is longer than a row belongs to as many consecutive rows as it has parts, over and over: the heads
    /// of a token.
    ///
    /// # Panics
    ///
    /// When shapes disagree.
    pub fn rms_norm(&self, x: &[f32], width: usize, weight: Option<&[f32]>, epsilon: f32, out: &mut [f32]) {
        self.normalize(Some(x), out, width, Rule::rms(weight, epsilon));
    }

    /// Normalizes rows as [`Self::rms_norm`] does, in place.
    ///
    /// # Panics
    ///
    /// When shapes disagree.
    pub fn rms_norm_in_place(&self, x: &mut [f32], width: usize, weight: Option<&[f32]>, epsilon: f32) {
        self.normalize(None, x, width, Rule::rms(weight, epsilon));
    }

    /// Writes (x − mean) / √(var + ε), times the weight, plus the bias, for each row of `width`. Weight and bias may be
    /// longer than a row, as in [`Self::rms_norm`].
    ///
    /// # Panics
    ///
    /// When shapes disagree.
    pub fn layer_norm(
        &self,
        x: &[f32],
        width: usize,
        weight: Option<&[f32]>,
        bias: Option<&[f32]>,
        epsilon: f32,
        out: &mut [f32],
    ) {
        self.normalize(Some(x), out, width, Rule { centred: true, weight, bias, epsilon });
    }

    /// Normalizes rows as [`Self::layer_norm`] does, in place.
    ///
    /// # Panics
    ///
    /// When shapes disagree.
    pub fn layer_norm_in_place(
        &self,
        x: &mut [f32],
        width: usize,
        weight: Option<&[f32]>,
        bias: Option<&[f32]>,
        epsilon: f32,
    ) {
        self.normalize(None, x, width, Rule { centred: true, weight, bias, epsilon });
    }

    /// Normalizes `x`, or `out` in place, into `out`.
    fn normalize(&self, x: Option<&[f32]>, out: &mut [f32], width: usize, rule: Rule<'_>) {
        if let Some(x) = x {
            assert_eq!(x.len(), out.len(), "rows and normalized rows");
        }
        rule.check(width);
        self.for_rows(out, width, Self::grain(width), |first_row, rows| {
            if let Some(x) = x {
                rows.copy_from_slice(&x[first_row * width..][..rows.len()]);
            }
            lanes::run(self.level(), Normalize { rows, first_row, width, rule });
        });
    }
}

/// The parameters of a norm.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'a> {
    /// Whether the mean is subtracted first.
    centred: bool,
    weight: Option<&'a [f32]>,
    bias: Option<&'a [f32]>,
    epsilon: f32,
}

impl<'a> Rule<'a> {
    pub(crate) fn rms(weight: Option<&'a [f32]>, epsilon: f32) -> Self {
        Self { centred: false, weight, bias: None, epsilon }
    }

    /// Refuses parameters that do not fit rows of `width`.
    pub(crate) fn check(&self, width: usize) {
        for parameter in [self.weight, self.bias].into_iter().flatten() {
            assert!(
                !parameter.is_empty() && parameter.len().is_multiple_of(width),
                "{} parameters do not fit rows of {width}",
                parameter.len()
            );
        }
    }
}

/// Normalizes rows in place.
pub(crate) struct Normalize<'a> {
    pub(crate) rows: &'a mut [f32],
    pub(crate) first_row: usize,
    pub(crate) width: usize,
    pub(crate) rule: Rule<'a>,
}

impl Kernel for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { rows, first_row, width, rule } = self;
        let count = width as f32;
        for (row, values) in rows.chunks_exact_mut(width).enumerate() {
            if rule.centred {
                let mean = total::<L, false>(lanes, values) / count;
                for x in &mut *values {
                    *x -= mean;
                }
            }
            let variance = total::<L, true>(lanes, values) / count;
            let factor = 1.0 / (variance + rule.epsilon).sqrt();
            match rule.weight {
                None => {
                    for x in &mut *values {
                        *x *= factor;
                    }
                }
                Some(weight) => {
                    for (x, w) in values.iter_mut().zip(part(weight, width, first_row + row)) {
                        *x = *x * factor * w;
                    }
                }
            }
            if let Some(bias) = rule.bias {
                for (x, b) in values.iter_mut().zip(part(bias, width, first_row + row)) {
                    *x += b;
                }
            }
        }
    }
}

/// The parameters of one row.
#[inline(always)]
fn part(parameters: &[f32], width: usize, row: usize) -> &[f32] {
    let start = row % (parameters.len() / width) * width;
    &parameters[start..start + width]
}

/// Adds numbers, or their squares, up: in four times sixteen sums that are joined in a fixed order.
#[inline(always)]
fn total<L: Lanes, const SQUARES: bool>(lanes: L, row: &[f32]) -> f32 {
    let (chunks, tail) = row.as_chunks::<LANES>();
    let (quads, rest) = chunks.as_chunks::<4>();
    let mut sums = [lanes.splat(0.0); 4];
    for quad in quads {
        for (sum, chunk) in sums.iter_mut().zip(quad) {
            *sum = accumulate::<L, SQUARES>(lanes, *sum, lanes.load(chunk));
        }
    }
    let mut last = lanes.splat(0.0);
    for chunk in rest {
        last = accumulate::<L, SQUARES>(lanes, last, lanes.load(chunk));
    }
    last = accumulate::<L, SQUARES>(lanes, last, load_part(lanes, tail, 0.0));
    let [a, b, c, d] = sums;
    lanes.sum(lanes.add(lanes.add(lanes.add(a, b), lanes.add(c, d)), last))
}

#[inline(always)]
fn accumulate<L: Lanes, const SQUARES: bool>(lanes: L, sum: L::F32, x: L::F32) -> L::F32 {
    if SQUARES { lanes.fma(x, x, sum) } else { lanes.add(sum, x) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::level::Level;

    fn plain(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, centred: bool) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = if centred { x.iter().map(|&x| f64::from(x)).sum::<f64>() / n } else { 0.0 };
        let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
        x.iter()
            .zip(weight.iter().zip(bias))
            .map(|(&x, (&w, &b))| (f64::from(x) - mean) * factor * f64::from(w) + f64::from(b))
            .collect()
    }

    proptest! {
        #[test]
        fn norms_equal_their_definition_at_every_level(
            x in prop::collection::vec(-4f32..4.0, 1..300),
            rows in 1usize..4,
        ) {
            let width = x.len();
            let weight: Vec<f32> = (0..width).map(|i| 1.0 + (i % 7) as f32 * 0.1).collect();
            let bias: Vec<f32> = (0..width).map(|i| (i % 5) as f32 - 2.0).collect();
            let input: Vec<f32> = (0..rows).flat_map(|row| x.iter().map(move |x| x * (row + 1) as f32)).collect();
            let mut reference: Option<Vec<f32>> = None;
            for level in Level::available() {
                let cpu = Cpu::new(level, 2);
                let (mut rms, mut layer) = (vec![0.0; input.len()], vec![0.0; input.len()]);
                cpu.rms_norm(&input, width, Some(&weight), 1e-5, &mut rms);
                cpu.layer_norm(&input, width, Some(&weight), Some(&bias), 1e-5, &mut layer);
                for (row, x) in input.chunks_exact(width).enumerate() {
                    let expected = [
                        plain(x, &weight, &vec![0.0; width], 1e-5, false),
                        plain(x, &weight, &bias, 1e-5, true),
                    ];
                    for (found, expected) in [&rms, &layer].into_iter().zip(expected) {
                        for (found, expected) in found[row * width..][..width].iter().zip(expected) {
                            prop_assert!((f64::from(*found) - expected).abs() < 2e-5 * expected.abs().max(4.0));
                        }
                    }
                }
                rms.extend(layer);
                prop_assert_eq!(&rms, reference.get_or_insert_with(|| rms.clone()));
            }
        }
    }

    #[test]
    fn a_long_weight_belongs_to_consecutive_rows() {
        let cpu = Cpu::new(Level::detect(), 1);
        let mut out = [0.0; 8];
        cpu.rms_norm(&[1.0; 8], 2, Some(&[1.0, 2.0, 3.0, 4.0]), 0.0, &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
