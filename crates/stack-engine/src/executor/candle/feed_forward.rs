//! Feed-forward networks.

use candle_core::{Result, Tensor};

use super::experts::Experts;
use super::linear::Linear;
use super::norm::NormLayer;
use crate::spec::Activation;

/// The feed-forward part of a layer.
pub(super) enum FeedForwardLayer {
    Dense(Dense),
    Experts(Box<Experts>),
}

impl FeedForwardLayer {
    /// Transforms `x`; `layer_input` is what the layer was given, before any norm.
    pub(super) fn forward(&self, x: &Tensor, layer_input: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(dense) => dense.forward(x),
            Self::Experts(experts) => experts.forward(x, layer_input),
        }
    }
}

/// One network.
pub(super) struct Dense {
    pub(super) activation: Activation,
    pub(super) up: Up,
    /// Normalizes what the activation returns.
    pub(super) inner_norm: Option<NormLayer>,
    /// Divides what the activation returns (MPT after activation-aware quantization).
    pub(super) divisor: Option<Tensor>,
    pub(super) down: Linear,
}

/// The matrices before the non-linearity.
pub(super) enum Up {
    /// No gate.
    Plain(Linear),
    /// Gate and up side by side in one matrix.
    Joined(Linear),
    /// One matrix each.
    Gated { gate: Linear, up: Linear },
}

impl Dense {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut inner = match &self.up {
            Up::Plain(up) => self.activation.apply(&up.forward(x)?)?,
            Up::Joined(both) => self.activation.gate_halves(&both.forward(x)?)?,
            Up::Gated { gate, up } => self.activation.gate(&gate.forward(x)?, &up.forward(x)?)?,
        };
        if let Some(norm) = &self.inner_norm {
            inner = norm.forward(&inner)?;
        }
        if let Some(divisor) = &self.divisor {
            inner = inner.broadcast_div(divisor)?;
        }
        self.down.forward(&inner)
    }
}
