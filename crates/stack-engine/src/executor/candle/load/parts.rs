//! Layers and their attention, put together from tensors.

use std::sync::Arc;

use candle_core::Tensor;

use super::super::attention::{Attention, HeadNorm, Projections};
use super::super::feed_forward::FeedForwardLayer;
use super::super::layer::{Layer, MixerLayer};
use super::super::linear::Linear;
use super::super::norm::NormLayer;
use super::super::rope::Rope;
use super::{Loader, Part, device_error, halves_order};
use crate::executor::tensors::{missing, without_ones};
use crate::spec::{AttentionSpec, FeedForward, GateFunction, Mixer, Rotation};
use crate::weights::LoadError;

impl Loader<'_> {
    pub(super) fn layer(&self, index: usize, ropes: &[Option<Arc<Rope>>]) -> Result<Layer, LoadError> {
        let spec = &self.spec.layers[index];
        let prefix = format!("blk.{index}");
        let width = self.spec.embedding;
        let rope = ropes[index].clone();
        let mixer = match &spec.mixer {
            Mixer::Attention(attention) => MixerLayer::Attention(self.attention(&prefix, attention, rope)?),
            Mixer::Latent(latent) => {
                let rope = rope.ok_or_else(|| missing(&format!("{prefix} rotation")))?;
                MixerLayer::Latent(self.latent(&prefix, latent, rope)?)
            }
            Mixer::ShortConvolution { taps } => {
                MixerLayer::ShortConvolution(self.short_convolution(&prefix, *taps)?)
            }
            Mixer::Linear => MixerLayer::Linear(self.linear(
                &format!("{prefix}.attn_output"),
                Some((width, width)),
                None,
                false,
            )?),
            Mixer::None => MixerLayer::None,
        };
        let feed_forward = match &spec.feed_forward {
            FeedForward::None => None,
            FeedForward::Dense { activation } => Some(FeedForwardLayer::Dense(self.dense_network(
                &prefix,
                "",
                *activation,
                self.spec.companion_scales.dense,
            )?)),
            FeedForward::Experts(experts) => {
                Some(FeedForwardLayer::Experts(Box::new(self.experts(&prefix, experts)?)))
            }
        };
        Ok(Layer {
            residual: spec.residual,
            residual_scale: self.spec.residual_scale,
            norms: self.tensors.layer_norms(index)?.try_map(|norm| self.placed(norm))?,
            mixer,
            feed_forward,
            side: match &spec.side_experts {
                Some(experts) => {
                    let norm = self.placed(self.tensors.side_norm(index)?)?;
                    Some((norm, self.experts(&prefix, experts)?))
                }
                None => None,
            },
        })
    }

    /// A norm that exists only where it has weights, even in models whose norms have none.
    pub(super) fn weighted_norm(&self, name: &str, width: usize) -> Result<Option<NormLayer>, LoadError> {
        self.tensors.weighted_norm(name, width)?.map(|norm| self.placed(norm)).transpose()
    }

    /// The gate of what the heads return: one number for each head, or for each of their elements.
    fn gate(&self, prefix: &str, spec: &AttentionSpec) -> Result<Option<(Linear, GateFunction)>, LoadError> {
        let Some(function) = spec.gate else { return Ok(None) };
        let name = format!("{prefix}.attn_gate");
        let rows = match self.tensors.rows(&format!("{name}.weight"))? {
            rows if rows == spec.heads => rows,
            _ => spec.heads * spec.value_length,
        };
        Ok(Some((self.linear_if(&name, (rows, self.spec.embedding), false)?, function)))
    }

    fn attention(
        &self,
        prefix: &str,
        spec: &AttentionSpec,
        rope: Option<Arc<Rope>>,
    ) -> Result<Attention, LoadError> {
        let width = self.spec.embedding;
        let (queries, keys) = (spec.heads * spec.key_length, spec.kv_heads * spec.key_length);
        let values = spec.kv_heads * spec.value_length;
        let order = |heads| match &spec.rope {
            Some(rope) if rope.rotation == Rotation::Adjacent => {
                Some(halves_order(heads, spec.key_length, 0, rope.dimensions))
            }
            _ => None,
        };
        let (query_order, key_order) = (order(spec.heads), order(spec.kv_heads));
        let projections = if self.tensors.has(&format!("{prefix}.attn_qkv.weight")) {
            let joined = query_order.as_ref().zip(key_order.as_ref()).map(|(query, key)| {
                let shifted = key.iter().map(|row| queries + row);
                query
                    .iter()
                    .copied()
                    .chain(shifted)
                    .chain(queries + keys..queries + keys + values)
                    .collect::<Vec<_>>()
            });
            let rows = queries + keys + values;
            let mut part = self.part(&format!("{prefix}.attn_qkv"), Some((rows, width)), true)?;
            if part.bias.is_none() {
                part.bias = self.separate_biases(prefix, [queries, keys, values])?;
            }
            Projections::Joined(self.finish(part.reorder(joined.as_deref()))?)
        } else {
            let part = |name: &str, rows, order: Option<&[usize]>| -> Result<Part, LoadError> {
                Ok(self.part(&format!("{prefix}.{name}"), Some((rows, width)), true)?.reorder(order))
            };
            let parts = vec![
                part("attn_q", queries, query_order.as_deref())?,
                part("attn_k", keys, key_order.as_deref())?,
                part("attn_v", values, None)?,
            ];
            match self.join(parts)? {
                Ok(joined) => Projections::Joined(joined),
                Err(parts) => {
                    let [query, key, value] = self.finish_all(parts)?;
                    Projections::Separate { query, key, value }
                }
            }
        };
        let output = self.linear(
            &format!("{prefix}.attn_output"),
            Some((width, spec.heads * spec.value_length)),
            None,
            false,
        )?;
        Ok(Attention {
            query_norm: self.head_norm(
                &format!("{prefix}.attn_q_norm"),
                spec.heads,
                spec,
                query_order.as_deref(),
            )?,
            key_norm: self.head_norm(
                &format!("{prefix}.attn_k_norm"),
                spec.kv_heads,
                spec,
                key_order.as_deref(),
            )?,
            weightless: NormLayer::new(self.spec.norm, None, None),
            rope,
            gate: self.gate(prefix, spec)?,
            sinks: self.vector(&format!("{prefix}.attn_sinks.weight"), spec.heads)?,
            inner_norm: self
                .weighted_norm(&format!("{prefix}.attn_sub_norm"), spec.heads * spec.value_length)?,
            projections,
            output,
            spec: spec.clone(),
        })
    }

    /// Files with one matrix for queries, keys and values may still have a bias for each.
    fn separate_biases(&self, prefix: &str, lengths: [usize; 3]) -> Result<Option<Vec<f32>>, LoadError> {
        let mut joined = Vec::new();
        for (name, length) in ["attn_q", "attn_k", "attn_v"].into_iter().zip(lengths) {
            match self.tensors.vector(&format!("{prefix}.{name}.bias"), length)? {
                Some(bias) => joined.extend(bias),
                None => return Ok(None),
            }
        }
        Ok(Some(joined))
    }

    /// The norm of queries or keys: over one head, over each head with weights of its own, or over all heads at once.
    fn head_norm(
        &self,
        name: &str,
        heads: usize,
        spec: &AttentionSpec,
        order: Option<&[usize]>,
    ) -> Result<Option<HeadNorm>, LoadError> {
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        let Some(tensor) = self.tensors.source().tensor(&weight_name) else { return Ok(None) };
        let (length, all) = (spec.key_length, heads * spec.key_length);
        let (elements, whole) = match without_ones(&tensor.shape).as_slice() {
            [elements] if *elements == length => (length, false),
            [elements] if *elements == all => (all, true),
            [rows, columns] if (*rows, *columns) == (heads, length) => (all, false),
            other => {
                return Err(LoadError::new(weight_name, format!("{other:?} fits neither one head nor all")));
            }
        };
        let place = |name: &str| -> Result<Option<Tensor>, LoadError> {
            let Some(values) = self.tensors.vector(name, elements)? else { return Ok(None) };
            let values: Vec<f32> = match order {
                Some(order) => order[..elements].iter().map(|&row| values[row]).collect(),
                None => values,
            };
            let tensor = if !whole && elements == all && heads > 1 {
                Tensor::from_vec(values, (heads, length), self.device)
            } else {
                Tensor::from_vec(values, elements, self.device)
            };
            tensor.map(Some).map_err(|error| device_error(name, error))
        };
        let norm = NormLayer::new(self.spec.norm, place(&weight_name)?, place(&bias_name)?);
        Ok(Some(HeadNorm { norm, whole }))
    }

    pub(super) fn finish_all<const N: usize>(&self, parts: Vec<Part>) -> Result<[Linear; N], LoadError> {
        let linears = parts.into_iter().map(|part| self.finish(part)).collect::<Result<Vec<_>, _>>()?;
        linears
            .try_into()
            .map_err(|_| LoadError::new("layer", "has another number of matrices than it was read with"))
    }
}
