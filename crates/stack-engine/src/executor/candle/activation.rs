//! Non-linearities of feed-forward networks.

use candle_core::{D, Result, Tensor};

use crate::spec::Activation;

impl Activation {
    /// Applies the non-linearity alone.
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu | Self::ClampedSwiglu => x.silu(),
            Self::Gelu => x.gelu(),
            Self::Relu => x.relu(),
            Self::ReluSquared => x.relu()?.sqr(),
        }
    }

    /// Applies it to a gate and multiplies by the up projection.
    pub(super) fn gate(self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::ClampedSwiglu => {
                let gate = gate.minimum(CLAMP)?;
                let up = up.clamp(-CLAMP, CLAMP)?;
                let swish = (&gate * candle_nn::ops::sigmoid(&(&gate * ALPHA)?)?)?;
                swish * (up + 1.0)?
            }
            _ => self.apply(gate)? * up,
        }
    }

    /// Applies it to a gate and an up projection that lie side by side in the last dimension.
    pub(super) fn gate_halves(self, both: &Tensor) -> Result<Tensor> {
        let width = both.dim(D::Minus1)? / 2;
        let gate = both.narrow(D::Minus1, 0, width)?;
        let up = both.narrow(D::Minus1, width, width)?;
        self.gate(&gate, &up)
    }
}

/// gpt-oss's slope of the logistic function and bound of its arguments.
const ALPHA: f64 = 1.702;
const CLAMP: f64 = 7.0;
