//! `RMSNorm` (arXiv:1910.07467) and `LayerNorm` (arXiv:1607.06450).

use stack_kernels::{Cpu, HeadNorm};

use super::grain::grain;
use crate::spec::{Norm, NormKind};

/// A norm with its weights.
pub(crate) struct NormLayer {
    pub(super) norm: Norm,
    /// Length of the vectors that are normalized.
    pub(super) width: usize,
    /// As long as a vector, or as several that lie side by side.
    pub(super) weight: Option<Vec<f32>>,
    pub(super) bias: Option<Vec<f32>>,
}

impl NormLayer {
    /// A norm that only normalizes.
    pub(super) fn weightless(norm: Norm, width: usize) -> Self {
        Self { norm, width, weight: None, bias: None }
    }

    /// Normalizes vectors that lie one after the other.
    pub(crate) fn apply(&self, cpu: &Cpu, x: &[f32], out: &mut [f32]) {
        let (weight, Norm { kind, epsilon, .. }) = (self.weight.as_deref(), self.norm);
        match kind {
            NormKind::Layer => cpu.layer_norm(x, self.width, weight, self.bias.as_deref(), epsilon, out),
            NormKind::Rms => {
                cpu.rms_norm(x, self.width, weight, epsilon, out);
                self.add_bias(cpu, out);
            }
        }
    }

    /// Does the same in place.
    pub(crate) fn apply_in_place(&self, cpu: &Cpu, x: &mut [f32]) {
        let (weight, Norm { kind, epsilon, .. }) = (self.weight.as_deref(), self.norm);
        match kind {
            NormKind::Layer => {
                cpu.layer_norm_in_place(x, self.width, weight, self.bias.as_deref(), epsilon);
            }
            NormKind::Rms => {
                cpu.rms_norm_in_place(x, self.width, weight, epsilon);
                self.add_bias(cpu, x);
            }
        }
    }

    /// The norm as one of heads of a length, if it is one and nothing more.
    pub(crate) fn of_heads(&self, length: usize) -> Option<HeadNorm<'_>> {
        let is_plain = self.norm.kind == NormKind::Rms && self.bias.is_none() && self.width == length;
        is_plain.then_some(HeadNorm { weight: self.weight.as_deref(), epsilon: self.norm.epsilon })
    }

    /// `RMSNorm` has no bias by definition, but files may give it one.
    fn add_bias(&self, cpu: &Cpu, out: &mut [f32]) {
        if let Some(bias) = &self.bias {
            each_row(cpu, out, bias, |y, bias| *y += bias);
        }
    }
}

/// Changes each row by numbers that are the same for all.
pub(super) fn each_row(cpu: &Cpu, out: &mut [f32], numbers: &[f32], change: impl Fn(&mut f32, f32) + Sync) {
    let width = numbers.len();
    cpu.for_rows(out, width, grain(width), |_, rows| {
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(numbers).for_each(|(y, &number)| change(y, number));
        }
    });
}
