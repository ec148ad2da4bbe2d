//! Layers and their attention, put together from tensors.

use super::super::attention::Attention;
use super::super::layer::{FeedForwardLayer, Layer, MixerLayer};
use super::super::linear::Linear;
use super::super::norm::NormLayer;
use super::{Loader, Scale};
use crate::executor::tensors::{missing, without_ones};
use crate::spec::{AttentionSpec, FeedForward, GateFunction, Mixer};
use crate::weights::LoadError;

impl Loader<'_> {
    pub(super) fn layer(&self, index: usize, rope: Option<usize>) -> Result<Layer, LoadError> {
        let spec = &self.spec.layers[index];
        let prefix = format!("blk.{index}");
        let feed_forward = match &spec.feed_forward {
            FeedForward::None => None,
            FeedForward::Dense { activation } => Some(FeedForwardLayer::Dense(Box::new(self.network(
                &prefix,
                "",
                *activation,
                self.spec.companion_scales.dense,
            )?))),
            FeedForward::Experts(experts) => {
                Some(FeedForwardLayer::Experts(Box::new(self.experts(&prefix, experts)?)))
            }
        };
        Ok(Layer {
            residual: spec.residual,
            residual_scale: self.spec.residual_scale,
            norms: self.tensors.layer_norms(index)?.try_map(|norm| Ok::<_, LoadError>(self.held(norm)))?,
            mixer: self.mixer(index, &prefix, rope)?,
            feed_forward,
            side: match &spec.side_experts {
                Some(experts) => {
                    let norm = self.held(self.tensors.side_norm(index)?);
                    Some((norm, self.experts(&prefix, experts)?))
                }
                None => None,
            },
        })
    }

    fn mixer(&self, index: usize, prefix: &str, rope: Option<usize>) -> Result<MixerLayer, LoadError> {
        let width = self.spec.embedding;
        Ok(match &self.spec.layers[index].mixer {
            Mixer::Attention(spec) => {
                MixerLayer::Attention(Box::new(self.attention(index, prefix, spec, rope)?))
            }
            Mixer::Latent(spec) => {
                let rope = rope.ok_or_else(|| missing(&format!("{prefix} rotation")))?;
                MixerLayer::Latent(Box::new(self.latent(index, prefix, spec, rope)?))
            }
            Mixer::ShortConvolution { taps } => {
                MixerLayer::ShortConvolution(self.short_convolution(index, prefix, *taps)?)
            }
            Mixer::Linear => {
                let name = format!("{prefix}.attn_output");
                MixerLayer::Linear(self.linear(&name, [width, width], Scale::BeforeBias)?)
            }
            Mixer::None => MixerLayer::None,
        })
    }

    fn attention(
        &self,
        index: usize,
        prefix: &str,
        spec: &AttentionSpec,
        rope: Option<usize>,
    ) -> Result<Attention, LoadError> {
        let name = |part: &str| format!("{prefix}.{part}");
        let [query, key, value] = self.projections(prefix, spec)?;
        let values = spec.heads * spec.value_length;
        let output = self.linear(&name("attn_output"), [self.spec.embedding, values], Scale::BeforeBias)?;
        Ok(Attention {
            cache: index,
            query,
            key,
            value,
            query_norm: self.head_norm(&name("attn_q_norm"), spec.heads, spec)?,
            key_norm: self.head_norm(&name("attn_k_norm"), spec.kv_heads, spec)?,
            last_norm: spec.qk_norm_weightless.then_some(NormLayer {
                norm: self.spec.norm,
                width: spec.key_length,
                weight: None,
                bias: None,
            }),
            rope,
            gate: self.gate(prefix, spec)?,
            slopes: spec.slopes(),
            sinks: self.vector(&name("attn_sinks.weight"), spec.heads)?,
            inner_norm: self.weighted_norm(&name("attn_sub_norm"), values)?,
            output: output.times(spec.output_scale),
            spec: spec.clone(),
        })
    }

    /// The matrices that make queries, keys and values, from one tensor or from three.
    fn projections(&self, prefix: &str, spec: &AttentionSpec) -> Result<[Linear; 3], LoadError> {
        let width = self.spec.embedding;
        let rows = [
            spec.heads * spec.key_length,
            spec.kv_heads * spec.key_length,
            spec.kv_heads * spec.value_length,
        ];
        let joined = format!("{prefix}.attn_qkv");
        if self.tensors.has(&format!("{joined}.weight")) {
            let mut companions = self.companions(&joined, rows.iter().sum(), Scale::BeforeBias)?;
            if companions.bias.is_none() {
                companions.bias = self.separate_biases(prefix, rows)?;
            }
            return self.parts(&joined, rows, width, &companions);
        }
        let linear = |part, rows| self.linear(&format!("{prefix}.{part}"), [rows, width], Scale::BeforeBias);
        Ok([linear("attn_q", rows[0])?, linear("attn_k", rows[1])?, linear("attn_v", rows[2])?])
    }

    /// Files with one matrix for queries, keys and values may still have a bias for each.
    fn separate_biases(&self, prefix: &str, lengths: [usize; 3]) -> Result<Option<Vec<f32>>, LoadError> {
        let mut joined = Vec::new();
        for (name, length) in ["attn_q", "attn_k", "attn_v"].into_iter().zip(lengths) {
            match self.vector(&format!("{prefix}.{name}.bias"), length)? {
                Some(bias) => joined.extend(bias),
                None => return Ok(None),
            }
        }
        Ok(Some(joined))
    }

    /// The gate of what the heads return: one number for each head, or for each of their elements.
    fn gate(&self, prefix: &str, spec: &AttentionSpec) -> Result<Option<(Linear, GateFunction)>, LoadError> {
        let Some(function) = spec.gate else { return Ok(None) };
        let name = format!("{prefix}.attn_gate");
        let rows = match self.tensors.rows(&format!("{name}.weight"))? {
            rows if rows == spec.heads => rows,
            _ => spec.heads * spec.value_length,
        };
        Ok(Some((self.linear(&name, [rows, self.spec.embedding], Scale::IfNeeded)?, function)))
    }

    /// The norm of queries or keys: over one head, over each head with weights of its own, or over all heads at once.
    fn head_norm(
        &self,
        name: &str,
        heads: usize,
        spec: &AttentionSpec,
    ) -> Result<Option<NormLayer>, LoadError> {
        let weight_name = format!("{name}.weight");
        let Some(tensor) = self.tensors.source().tensor(&weight_name) else { return Ok(None) };
        let (length, all) = (spec.key_length, heads * spec.key_length);
        let (elements, width) = match without_ones(&tensor.shape).as_slice() {
            [elements] if *elements == length => (length, length),
            [elements] if *elements == all => (all, all),
            [rows, columns] if (*rows, *columns) == (heads, length) => (all, length),
            other => {
                return Err(LoadError::new(weight_name, format!("{other:?} fits neither one head nor all")));
            }
        };
        let weight = self.vector(&weight_name, elements)?;
        let bias = self.vector(&format!("{name}.bias"), elements)?;
        Ok(Some(NormLayer { norm: self.spec.norm, width, weight, bias }))
    }
}
