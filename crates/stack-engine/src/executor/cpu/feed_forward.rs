//! Feed-forward networks.

use stack_kernels::Cpu;

use super::arena::Scratch;
use super::linear::{Linear, apply};
use super::norm::{NormLayer, each_row};
use crate::spec::Activation;

/// One network.
pub(super) struct Network {
    pub(super) activation: Activation,
    /// Multiplies what the up matrix returns, through the non-linearity.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    /// Normalizes what the non-linearity returns.
    pub(super) inner_norm: Option<NormLayer>,
    /// Divides what the non-linearity returns (MPT after activation-aware quantization).
    pub(super) divisor: Option<Vec<f32>>,
    /// Applied to what [`Network::inner`] returns.
    pub(super) down: Linear,
}

impl Network {
    /// Computes all but the last matrix and leaves the result in `scratch.inner`; returns its length.
    pub(super) fn inner(&self, cpu: &Cpu, scratch: &mut Scratch, rows: usize, x: &[f32]) -> usize {
        let Scratch { inputs, gate, up, inner, .. } = scratch;
        let length = rows * self.up.rows();
        let out = inner.take(length);
        let function = self.activation.kernel();
        match &self.gate {
            None => self.up.activated(cpu, inputs, x, function, out),
            Some(matrix) if self.up.takes_gate(matrix) => {
                self.up.gated(cpu, inputs, x, (matrix, function), out);
            }
            Some(matrix) => {
                let (gates, raised) = (gate.take(length), up.take(length));
                apply(cpu, inputs, x, [(matrix, &mut *gates), (&self.up, &mut *raised)]);
                cpu.gated(gates, raised, function, out);
            }
        }
        if let Some(norm) = &self.inner_norm {
            norm.apply_in_place(cpu, out);
        }
        if let Some(divisor) = &self.divisor {
            each_row(cpu, out, divisor, |y, divisor| *y /= divisor);
        }
        length
    }
}
