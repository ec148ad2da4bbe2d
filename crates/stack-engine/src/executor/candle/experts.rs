//! A mixture of experts: a router sends each token to a few of many networks.

use candle_core::{Result, Tensor};

use super::feed_forward::Dense;
use super::linear::Linear;
use crate::spec::{ExpertsSpec, Gating};

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

/// An expert of one token, and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Choice {
    expert: usize,
    weight: f32,
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

/// Chooses the experts of one token.
fn choose(spec: &ExpertsSpec, bias: Option<&[f32]>, logits: &[f32]) -> Vec<Choice> {
    let mut weights = logits.to_vec();
    match spec.gating {
        Gating::Softmax => softmax(&mut weights),
        Gating::Sigmoid => weights.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
        Gating::SqrtSoftplus => weights.iter_mut().for_each(|x| *x = softplus(*x).sqrt()),
        Gating::SoftmaxOfChosen => {}
    }
    let mut merit = weights.clone();
    if let Some(bias) = bias {
        merit.iter_mut().zip(bias).for_each(|(merit, bias)| *merit += bias);
    }
    if let Some(groups) = spec.groups {
        let size = merit.len() / groups.count;
        let mut order: Vec<usize> = (0..groups.count).collect();
        let best_two = |group: usize| {
            let mut members = merit[group * size..(group + 1) * size].to_vec();
            members.sort_unstable_by(|a, b| b.total_cmp(a));
            members.iter().take(2).sum::<f32>()
        };
        let scores: Vec<f32> = order.iter().map(|&group| best_two(group)).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        for &group in &order[groups.used..] {
            merit[group * size..(group + 1) * size].fill(f32::NEG_INFINITY);
        }
    }
    let mut order: Vec<usize> = (0..merit.len()).collect();
    order.sort_by(|&a, &b| merit[b].total_cmp(&merit[a]));
    order.truncate(spec.used);
    let mut chosen: Vec<f32> = order.iter().map(|&expert| weights[expert]).collect();
    if spec.gating == Gating::SoftmaxOfChosen {
        softmax(&mut chosen);
    }
    if spec.normalize {
        let sum = chosen.iter().sum::<f32>().max(SUM_MIN);
        chosen.iter_mut().for_each(|weight| *weight /= sum);
    }
    order
        .into_iter()
        .zip(chosen)
        .map(|(expert, weight)| Choice { expert, weight: weight * spec.scale })
        .collect()
}

fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|x| *x /= sum);
}

fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// The smallest normal f16, below which the reference implementation does not let a sum of weights fall.
const SUM_MIN: f32 = 6.103_515_6e-5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Activation, ExpertGroups};

    fn spec(gating: Gating, normalize: bool) -> ExpertsSpec {
        ExpertsSpec {
            count: 4,
            used: 2,
            activation: Activation::Silu,
            gating,
            normalize,
            scale: 1.0,
            groups: None,
            weights_first: false,
            routed_early: false,
            shared_suffix: "_shexp",
            shared_scale: 1.0,
        }
    }

    #[test]
    fn the_best_experts_are_chosen_and_their_weights_sum_to_one() {
        let chosen = choose(&spec(Gating::Softmax, true), None, &[0.0, 2.0, 1.0, -1.0]);
        assert_eq!([chosen[0].expert, chosen[1].expert], [1, 2]);
        assert!((chosen[0].weight + chosen[1].weight - 1.0).abs() < 1e-6);
        assert!((chosen[0].weight / chosen[1].weight - 1f32.exp()).abs() < 1e-5);
    }

    #[test]
    fn a_bias_changes_the_choice_but_not_the_weight() {
        let chosen =
            choose(&spec(Gating::Sigmoid, false), Some(&[9.0, 0.0, 0.0, 0.0]), &[0.0, 2.0, 1.0, -1.0]);
        assert_eq!(chosen[0], Choice { expert: 0, weight: 0.5 });
    }

    #[test]
    fn experts_of_weaker_groups_are_not_eligible() {
        let grouped =
            ExpertsSpec { groups: Some(ExpertGroups { count: 2, used: 1 }), ..spec(Gating::Sigmoid, false) };
        let chosen = choose(&grouped, None, &[3.0, -9.0, 2.0, 2.0]);
        assert_eq!([chosen[0].expert, chosen[1].expert], [2, 3]);
    }
}
