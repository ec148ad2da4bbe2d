//! Attention, put together from tensors.

use super::tensors::without_ones;
use super::{AdjacentHeads, Backend, HeadNormWeights, Loader, Part, ScaleRule};
use crate::spec::{AttentionSpec, GateFunction, Rotation};
use crate::weights::LoadError;

/// Attention of one layer.
pub(in crate::executor) struct AttentionWeights<B: Backend> {
    pub(in crate::executor) spec: AttentionSpec,
    /// The matrices that make queries, keys and values.
    pub(in crate::executor) projections: B::Stack<3>,
    pub(in crate::executor) query_norm: Option<B::HeadNorm>,
    pub(in crate::executor) key_norm: Option<B::HeadNorm>,
    /// Its rotation among those of the model.
    pub(in crate::executor) rope: Option<usize>,
    /// Makes what the heads' outputs are multiplied by, one number each or one for each of their elements.
    pub(in crate::executor) gate: Option<(B::Linear, GateFunction)>,
    /// One extra score per head that takes weight but adds nothing.
    pub(in crate::executor) sinks: Option<B::Vector>,
    /// Normalizes what the heads return.
    pub(in crate::executor) inner_norm: Option<B::Norm>,
    pub(in crate::executor) output: B::Linear,
}

impl<B: Backend> Loader<'_, B> {
    pub(super) fn attention(
        &self,
        prefix: &str,
        spec: &AttentionSpec,
        rope: Option<usize>,
    ) -> Result<AttentionWeights<B>, LoadError> {
        let name = |part: &str| format!("{prefix}.{part}");
        let values = spec.heads * spec.value_length;
        Ok(AttentionWeights {
            spec: spec.clone(),
            projections: self.projections(prefix, spec)?,
            output: self.linear(
                &name("attn_output"),
                [self.spec.embedding, values],
                ScaleRule::BEFORE_BIAS,
            )?,
            query_norm: self.head_norm(&name("attn_q_norm"), spec.heads, spec)?,
            key_norm: self.head_norm(&name("attn_k_norm"), spec.kv_heads, spec)?,
            rope,
            gate: self.gate(prefix, spec)?,
            sinks: self.vector(&name("attn_sinks.weight"), spec.heads)?,
            inner_norm: self.weighted_norm(&name("attn_sub_norm"), values)?,
        })
    }

    /// The matrices that make queries, keys and values, from one tensor or from three.
    fn projections(&self, prefix: &str, spec: &AttentionSpec) -> Result<B::Stack<3>, LoadError> {
        let width = self.spec.embedding;
        let rows = [
            spec.heads * spec.key_length,
            spec.kv_heads * spec.key_length,
            spec.kv_heads * spec.value_length,
        ];
        let (queries, keys) = (adjacent(spec, spec.heads), adjacent(spec, spec.kv_heads));
        let joined = format!("{prefix}.attn_qkv");
        if self.tensors.has(&format!("{joined}.weight")) {
            let all = rows.iter().sum();
            let tensor = self.tensors.shaped_matrix(&joined, [all, width])?;
            let mut companions = self.tensors.companions(&joined, all, ScaleRule::BEFORE_BIAS)?;
            if companions.bias.is_none() {
                companions.bias = self.separate_biases(prefix, rows)?;
            }
            let keys = keys.map(|keys| AdjacentHeads { first: rows[0], ..keys });
            let heads = queries.into_iter().chain(keys).collect();
            return self.backend.split(Part { companions, heads, ..Part::new(&tensor, all, width) }, rows);
        }
        let packed = |part: &str, rows, heads| {
            self.packed(&format!("{prefix}.{part}"), [rows, width], ScaleRule::BEFORE_BIAS, heads)
        };
        self.backend.join([
            packed("attn_q", rows[0], queries)?,
            packed("attn_k", rows[1], keys)?,
            packed("attn_v", rows[2], None)?,
        ])
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

    /// The gate of what the heads return: one number for each head, or for each of their elements.
    fn gate(
        &self,
        prefix: &str,
        spec: &AttentionSpec,
    ) -> Result<Option<(B::Linear, GateFunction)>, LoadError> {
        let Some(function) = spec.gate else { return Ok(None) };
        let name = format!("{prefix}.attn_gate");
        let rows = match self.tensors.rows(&format!("{name}.weight"))? {
            rows if rows == spec.heads => rows,
            _ => spec.heads * spec.value_length,
        };
        let scale = ScaleRule { always: false, scales_bias: true };
        Ok(Some((self.linear(&name, [rows, self.spec.embedding], scale)?, function)))
    }

    /// The norm of queries or keys: over one head, over each head with weights of its own, or over all heads at once.
    fn head_norm(
        &self,
        name: &str,
        heads: usize,
        spec: &AttentionSpec,
    ) -> Result<Option<B::HeadNorm>, LoadError> {
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
        let weights = HeadNormWeights {
            norm: self.spec.norm,
            name: name.to_owned(),
            heads: elements / length,
            length,
            width,
            weight: self.tensors.vector(&weight_name, elements)?,
            bias: self.tensors.vector(&format!("{name}.bias"), elements)?,
            adjacent: adjacent(spec, elements / length),
        };
        self.backend.head_norm(weights).map(Some)
    }
}

/// Heads of which neighbouring dimensions are rotated together, if they are.
fn adjacent(spec: &AttentionSpec, count: usize) -> Option<AdjacentHeads> {
    let rope = spec.rope.as_ref().filter(|rope| rope.rotation == Rotation::Adjacent)?;
    Some(AdjacentHeads { first: 0, count, length: spec.key_length, offset: 0, rotated: rope.dimensions })
}
