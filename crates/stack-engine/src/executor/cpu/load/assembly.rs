//! Layers from packed weights.

use super::super::attention::Attention;
use super::super::convolution::ShortConvolution;
use super::super::experts::Experts;
use super::super::feed_forward::Network;
use super::super::latent::{Latent, LatentQuery};
use super::super::layer::{FeedForwardLayer, Layer, MixerLayer};
use super::super::norm::NormLayer;
use super::{Packer, is_convolution};
use crate::executor::load::{
    AttentionWeights, ExpertsWeights, FeedForwardWeights, LatentQueryWeights, LatentWeights, LayerWeights,
    MixerWeights, NetworkWeights, Up,
};
use crate::spec::DecoderSpec;

impl Packer {
    /// Puts the layer `index` together.
    pub(super) fn layer(&self, weights: LayerWeights<Self>, index: usize, spec: &DecoderSpec) -> Layer {
        Layer {
            residual: weights.residual,
            residual_scale: spec.residual_scale,
            norms: weights.norms,
            mixer: match weights.mixer {
                MixerWeights::Attention(weights) => {
                    MixerLayer::Attention(Box::new(attention(*weights, index, spec)))
                }
                MixerWeights::Latent(weights) => MixerLayer::Latent(Box::new(latent(*weights, index))),
                MixerWeights::ShortConvolution(weights) => {
                    let before = spec.layers[..index].iter();
                    MixerLayer::ShortConvolution(ShortConvolution {
                        state: before.filter(|layer| is_convolution(&layer.mixer)).count(),
                        input: weights.input,
                        taps: weights.taps.concat(),
                        output: weights.output,
                    })
                }
                MixerWeights::Linear(linear) => MixerLayer::Linear(linear),
                MixerWeights::None => MixerLayer::None,
            },
            feed_forward: weights.feed_forward.map(|weights| match weights {
                FeedForwardWeights::Dense(weights) => FeedForwardLayer::Dense(Box::new(network(*weights))),
                FeedForwardWeights::Experts(weights) => {
                    FeedForwardLayer::Experts(Box::new(self.experts(*weights)))
                }
            }),
            side: weights.side.map(|(norm, experts)| (norm, self.experts(experts))),
        }
    }

    fn experts(&self, weights: ExpertsWeights<Self>) -> Experts {
        if let Some(bias) = &weights.choice_bias {
            self.hold(bias);
        }
        let (gate, up) = match weights.up {
            Up::Plain(up) => (None, up),
            Up::Gated(pairs) => {
                let (gates, ups) = pairs.into_iter().map(|[gate, up]| (gate, up)).unzip();
                (Some(gates), ups)
            }
        };
        Experts {
            spec: weights.spec,
            router: weights.router,
            choice_bias: weights.choice_bias,
            gate,
            up,
            down: weights.down,
            shared: weights.shared.map(network),
            shared_gate: weights.shared_gate,
        }
    }
}

fn attention(weights: AttentionWeights<Packer>, index: usize, model: &DecoderSpec) -> Attention {
    let [query, key, value] = weights.projections;
    let spec = weights.spec;
    Attention {
        cache: index,
        query,
        key,
        value,
        query_norm: weights.query_norm,
        key_norm: weights.key_norm,
        last_norm: spec.qk_norm_weightless.then(|| NormLayer::weightless(model.norm, spec.key_length)),
        rope: weights.rope,
        gate: weights.gate,
        slopes: spec.slopes(),
        sinks: weights.sinks,
        inner_norm: weights.inner_norm,
        output: weights.output.times(spec.output_scale),
        spec,
    }
}

fn latent(weights: LatentWeights<Packer>, index: usize) -> Latent {
    Latent {
        spec: weights.spec,
        cache: index,
        query: match weights.query {
            LatentQueryWeights::Direct(query) => LatentQuery::Direct(query),
            LatentQueryWeights::Compressed { down, norm, up } => LatentQuery::Compressed { down, norm, up },
        },
        compress: weights.compress,
        compressed_norm: weights.compressed_norm,
        absorb: weights.absorb,
        decompress: weights.decompress,
        rope: weights.rope,
        output: weights.output,
    }
}

fn network(weights: NetworkWeights<Packer>) -> Network {
    let (gate, up) = match weights.up {
        Up::Plain(up) => (None, up),
        Up::Gated([gate, up]) => (Some(gate), up),
    };
    Network {
        activation: weights.activation,
        gate,
        up,
        inner_norm: weights.inner_norm,
        divisor: weights.divisor,
        down: weights.down,
    }
}
