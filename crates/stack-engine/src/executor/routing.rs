//! Which experts a token uses, and with what weights.

use crate::spec::{ExpertsSpec, Gating};

/// An expert of one token, and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) expert: usize,
    pub(super) weight: f32,
}

/// Chooses the experts of one token.
pub(super) fn choose(spec: &ExpertsSpec, bias: Option<&[f32]>, logits: &[f32]) -> Vec<Choice> {
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
