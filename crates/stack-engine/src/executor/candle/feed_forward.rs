//! Feed-forward networks.

use candle_core::{Result, Tensor};

use super::linear::{Linear, Stack};
use super::norm::NormLayer;
use crate::executor::load::Up;
use crate::spec::Activation;

/// One network.
pub(super) struct Dense {
    pub(super) activation: Activation,
    pub(super) up: Up<Linear, Stack<2>>,
    /// Normalizes what the activation returns.
    pub(super) inner_norm: Option<NormLayer>,
    /// Divides what the activation returns (MPT after activation-aware quantization).
    pub(super) divisor: Option<Tensor>,
    pub(super) down: Linear,
}

impl Dense {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut inner = match &self.up {
            Up::Plain(up) => self.activation.apply(&up.forward(x)?)?,
            Up::Gated(Stack::Joined(both)) => self.activation.gate_halves(&both.forward(x)?)?,
            Up::Gated(Stack::Separate([gate, up])) => {
                self.activation.gate(&gate.forward(x)?, &up.forward(x)?)?
            }
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
