//! A mixture of experts: a router sends each token to a few of many networks.

use candle_core::{Result, Tensor};

use super::feed_forward::Dense;
use super::linear::Linear;
use crate::executor::routing::choose;
use crate::spec::ExpertsSpec;

/// The experts of one layer.
pub(super) struct Experts {
    pub(super) spec: ExpertsSpec,
    pub(super) router: Linear,
    /// Added to the weights for choosing only, one per expert.
    pub(super) choice_bias: Option<Vec<f32>>,
    pub(super) networks: Vec<Dense>,
    /// A network that every token uses.
    pub(super) shared: Option<Dense>,
    /// Weights the shared network by the logistic function of this, `[1, width]`.
    pub(super) shared_gate: Option<Linear>,
}

impl Experts {
    /// Transforms `x`; `layer_input` is what the layer was given, before any norm.
    pub(super) fn forward(&self, x: &Tensor, layer_input: &Tensor) -> Result<Tensor> {
        let routed = if self.spec.routed_early { layer_input } else { x };
        let logits = self.router.forward(routed)?.to_vec2::<f32>()?;
        // Tokens are gathered by expert, so that each expert's weights are read once.
        let mut tokens: Vec<Vec<u32>> = vec![Vec::new(); self.networks.len()];
        let mut weights: Vec<Vec<f32>> = vec![Vec::new(); self.networks.len()];
        for (token, logits) in logits.iter().enumerate() {
            for choice in choose(&self.spec, self.choice_bias.as_deref(), logits) {
                tokens[choice.expert].push(token as u32);
                weights[choice.expert].push(choice.weight);
            }
        }
        let mut sum = x.zeros_like()?;
        for ((expert, tokens), weights) in self.networks.iter().zip(tokens).zip(weights) {
            if tokens.is_empty() {
                continue;
            }
            let count = tokens.len();
            let tokens = Tensor::from_vec(tokens, count, x.device())?;
            let weights = Tensor::from_vec(weights, (count, 1), x.device())?;
            let inputs = x.index_select(&tokens, 0)?;
            let outputs = if self.spec.weights_first {
                expert.forward(&inputs.broadcast_mul(&weights)?)?
            } else {
                expert.forward(&inputs)?.broadcast_mul(&weights)?
            };
            sum = sum.index_add(&tokens, &outputs, 0)?;
        }
        match &self.shared {
            None => Ok(sum),
            Some(shared) => {
                let mut outputs = shared.forward(x)?;
                if let Some(gate) = &self.shared_gate {
                    outputs = outputs.broadcast_mul(&candle_nn::ops::sigmoid(&gate.forward(x)?)?)?;
                }
                let sum = (sum + outputs)?;
                let scale = self.spec.shared_scale;
                if scale == 1.0 { Ok(sum) } else { sum * f64::from(scale) }
            }
        }
    }
}
