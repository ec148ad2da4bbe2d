//! Layers from placed weights.

use std::sync::Arc;

use super::super::attention::Attention;
use super::super::convolution::ShortConvolution;
use super::super::experts::Experts;
use super::super::feed_forward::Dense;
use super::super::latent::{Latent, LatentQuery};
use super::super::layer::{FeedForwardLayer, Layer, MixerLayer};
use super::super::linear::Matrix;
use super::super::norm::NormLayer;
use super::super::rope::Rope;
use super::{Placer, device_error};
use crate::executor::load::{
    self, AttentionWeights, ExpertsWeights, FeedForwardWeights, LatentQueryWeights, LatentWeights,
    LayerWeights, MixerWeights, NetworkWeights, Up,
};
use crate::spec::DecoderSpec;
use crate::weights::LoadError;

/// The rotations; here every one pairs dimensions that lie half a head apart.
pub(super) fn ropes(ropes: Vec<load::Rope>) -> Vec<Arc<Rope>> {
    let rope = |load::Rope { frequencies, magnitude, .. }| Arc::new(Rope { frequencies, magnitude });
    ropes.into_iter().map(rope).collect()
}

/// Puts a layer together.
///
/// # Errors
///
/// When the device fails.
pub(super) fn layer(
    weights: LayerWeights<Placer<'_>>,
    ropes: &[Arc<Rope>],
    spec: &DecoderSpec,
) -> Result<Layer, LoadError> {
    Ok(Layer {
        residual: weights.residual,
        residual_scale: spec.residual_scale,
        norms: weights.norms,
        mixer: match weights.mixer {
            MixerWeights::Attention(weights) => MixerLayer::Attention(attention(*weights, ropes, spec)),
            MixerWeights::Latent(weights) => MixerLayer::Latent(latent(*weights, ropes)),
            MixerWeights::ShortConvolution(weights) => MixerLayer::ShortConvolution(ShortConvolution {
                input: weights.input,
                taps: weights.taps,
                output: weights.output,
            }),
            MixerWeights::Linear(linear) => MixerLayer::Linear(linear),
            MixerWeights::None => MixerLayer::None,
        },
        feed_forward: match weights.feed_forward {
            Some(FeedForwardWeights::Dense(weights)) => Some(FeedForwardLayer::Dense(network(*weights))),
            Some(FeedForwardWeights::Experts(weights)) => {
                Some(FeedForwardLayer::Experts(Box::new(experts(*weights)?)))
            }
            None => None,
        },
        side: match weights.side {
            Some((norm, weights)) => Some((norm, experts(weights)?)),
            None => None,
        },
    })
}

fn attention(weights: AttentionWeights<Placer<'_>>, ropes: &[Arc<Rope>], model: &DecoderSpec) -> Attention {
    Attention {
        spec: weights.spec,
        projections: weights.projections,
        query_norm: weights.query_norm,
        key_norm: weights.key_norm,
        weightless: NormLayer::new(model.norm, None, None),
        rope: weights.rope.map(|rope| Arc::clone(&ropes[rope])),
        gate: weights.gate,
        sinks: weights.sinks,
        inner_norm: weights.inner_norm,
        output: weights.output,
    }
}

fn latent(weights: LatentWeights<Placer<'_>>, ropes: &[Arc<Rope>]) -> Latent {
    Latent {
        spec: weights.spec,
        query: match weights.query {
            LatentQueryWeights::Direct(query) => LatentQuery::Direct(query),
            LatentQueryWeights::Compressed { down, norm, up } => LatentQuery::Compressed { down, norm, up },
        },
        compress: weights.compress,
        compressed_norm: weights.compressed_norm,
        absorb: weights.absorb,
        decompress: weights.decompress,
        rope: Arc::clone(&ropes[weights.rope]),
        output: weights.output,
    }
}

fn network(weights: NetworkWeights<Placer<'_>>) -> Dense {
    Dense {
        activation: weights.activation,
        up: weights.up,
        inner_norm: weights.inner_norm,
        divisor: weights.divisor,
        down: weights.down,
    }
}

fn experts(weights: ExpertsWeights<Placer<'_>>) -> Result<Experts, LoadError> {
    let activation = weights.spec.activation;
    let ups: Vec<_> = match weights.up {
        Up::Plain(ups) => ups.into_iter().map(Up::Plain).collect(),
        Up::Gated(ups) => ups.into_iter().map(Up::Gated).collect(),
    };
    let networks = ups.into_iter().zip(weights.down);
    let networks = networks.map(|(up, down)| Dense { activation, up, inner_norm: None, divisor: None, down });
    let shared_gate = weights.shared_gate.map(|gate| gate.unsqueeze(0)).transpose();
    let shared_gate = shared_gate.map_err(|error| device_error("ffn_gate_inp_shexp.weight", error))?;
    Ok(Experts {
        spec: weights.spec,
        router: weights.router,
        choice_bias: weights.choice_bias,
        networks: networks.collect(),
        shared: weights.shared.map(network),
        shared_gate: shared_gate.map(|row| Matrix::Dense(row).into()),
    })
}
