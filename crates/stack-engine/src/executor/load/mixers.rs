//! Mixers other than attention, put together from tensors.

use super::tensors::missing;
use super::{AdjacentHeads, Backend, Loader, NormWeights, Part, ScaleRule};
use crate::spec::{LatentSpec, Norm, NormKind, Rotation};
use crate::weights::LoadError;

/// Latent attention of one layer.
pub(in crate::executor) struct LatentWeights<B: Backend> {
    pub(in crate::executor) spec: LatentSpec,
    pub(in crate::executor) query: LatentQueryWeights<B>,
    /// Makes the compressed vector and the rotated part of the key.
    pub(in crate::executor) compress: B::Linear,
    pub(in crate::executor) compressed_norm: B::Norm,
    /// Takes each head's unrotated query to the compressed space; `None` if all of it rotates.
    pub(in crate::executor) absorb: Option<B::HeadMatrices>,
    /// Takes each head's mixed vector to its value.
    pub(in crate::executor) decompress: B::HeadMatrices,
    /// Its rotation among those of the model.
    pub(in crate::executor) rope: usize,
    pub(in crate::executor) output: B::Linear,
}

/// The matrices that make queries.
pub(in crate::executor) enum LatentQueryWeights<B: Backend> {
    /// One matrix.
    Direct(B::Linear),
    /// Through a compressed vector of their own.
    Compressed { down: B::Linear, norm: B::Norm, up: B::Linear },
}

/// Where the matrices of all heads lie that would decompress keys and values.
pub(crate) enum Decompression<'t> {
    /// In two tensors: for each head `[rank, unrotated]` for keys, unless all of them rotate, and `[value length, rank]`.
    Apart { heads: usize, keys: Option<Part<'t>>, values: Part<'t> },
    /// In one: for each head `[unrotated, rank]` for keys, which is turned, and then `[value length, rank]`.
    Joined { heads: usize, unrotated: usize, all: Part<'t> },
}

/// The gated short convolution of one layer.
pub(in crate::executor) struct ConvolutionWeights<B: Backend> {
    /// Makes both gates and the input.
    pub(in crate::executor) input: B::Linear,
    /// The weight of each tap for each channel, oldest first.
    pub(in crate::executor) taps: Vec<B::Vector>,
    pub(in crate::executor) output: B::Linear,
}

impl<B: Backend> Loader<'_, B> {
    pub(super) fn latent(
        &self,
        prefix: &str,
        spec: &LatentSpec,
        rope: usize,
    ) -> Result<LatentWeights<B>, LoadError> {
        let width = self.spec.embedding;
        let (queries, rotated) = (spec.heads * spec.key_length, spec.rope.dimensions);
        let adjacent = |count, length, offset| {
            let heads = AdjacentHeads { first: 0, count, length, offset, rotated };
            (spec.rope.rotation == Rotation::Adjacent).then_some(heads)
        };
        let linear = |part: &str, rows, columns, heads| {
            let name = format!("{prefix}.{part}");
            self.linear_of_heads(&name, [rows, columns], ScaleRule::BEFORE_BIAS, heads)
        };
        let of_queries = adjacent(spec.heads, spec.key_length, spec.key_length - rotated);
        let query = match spec.query_rank {
            None => LatentQueryWeights::Direct(linear("attn_q", queries, width, of_queries)?),
            Some(rank) => LatentQueryWeights::Compressed {
                down: linear("attn_q_a", rank, width, None)?,
                norm: self.latent_norm(&format!("{prefix}.attn_q_a_norm"), rank)?,
                up: linear("attn_q_b", queries, rank, of_queries)?,
            },
        };
        let (absorb, decompress) = self.decompression(prefix, spec)?;
        let compressed = spec.kv_rank + rotated;
        Ok(LatentWeights {
            spec: spec.clone(),
            query,
            compress: linear("attn_kv_a_mqa", compressed, width, adjacent(1, compressed, spec.kv_rank))?,
            compressed_norm: self.latent_norm(&format!("{prefix}.attn_kv_a_norm"), spec.kv_rank)?,
            absorb,
            decompress,
            rope,
            output: linear("attn_output", width, spec.heads * spec.value_length, None)?,
        })
    }

    fn latent_norm(&self, name: &str, width: usize) -> Result<B::Norm, LoadError> {
        let weight_name = format!("{name}.weight");
        let weight = self.tensors.vector(&weight_name, width)?.ok_or_else(|| missing(&weight_name))?;
        let norm = Norm { kind: NormKind::Rms, ..self.spec.norm };
        self.backend.norm(NormWeights {
            norm,
            name: name.to_owned(),
            width,
            weight: Some(weight),
            bias: None,
        })
    }

    /// The matrices that decompress keys and values, from two tensors or, in older files, from one.
    fn decompression(
        &self,
        prefix: &str,
        spec: &LatentSpec,
    ) -> Result<(Option<B::HeadMatrices>, B::HeadMatrices), LoadError> {
        let unrotated = spec.key_length - spec.rope.dimensions;
        let (heads, rank) = (spec.heads, spec.kv_rank);
        let both = format!("{prefix}.attn_kv_b.weight");
        if self.tensors.has(&both) {
            let rows = heads * (unrotated + spec.value_length);
            self.tensors.expect_shape(&both, &[rows, rank])?;
            let tensor = self.tensors.matrices(&both)?;
            let all = Part::new(&tensor, rows, rank);
            return self.backend.decompression(Decompression::Joined { heads, unrotated, all });
        }
        let find = |part: &str, shape: [usize; 3]| {
            let tensor = self.tensors.matrices(&format!("{prefix}.{part}.weight"))?;
            // A tensor whose outermost dimension is 1 may lack it.
            let found = tensor.shape();
            if *found != shape && !(heads == 1 && *found == shape[1..]) {
                let problem = format!("the tensor has shape {found:?}; expected {shape:?}");
                return Err(LoadError::new(tensor.name(), problem));
            }
            Ok(tensor)
        };
        let keys = match unrotated {
            0 => None,
            _ => Some(find("attn_k_b", [heads, rank, unrotated])?),
        };
        let values = find("attn_v_b", [heads, spec.value_length, rank])?;
        self.backend.decompression(Decompression::Apart {
            heads,
            keys: keys.as_ref().map(|keys| Part::new(keys, heads * rank, unrotated)),
            values: Part::new(&values, heads * spec.value_length, rank),
        })
    }

    pub(super) fn short_convolution(
        &self,
        prefix: &str,
        taps: usize,
    ) -> Result<ConvolutionWeights<B>, LoadError> {
        let width = self.spec.embedding;
        // The kernel lies channel by channel, `[width, taps]`.
        let name = format!("{prefix}.shortconv.conv.weight");
        self.tensors.expect_shape(&name, &[width, taps])?;
        if taps < 2 {
            return Err(LoadError::new(name, "a convolution needs at least two taps"));
        }
        let kernel = self.tensors.floats(&name)?;
        let tap = |tap: usize| {
            let column = kernel.iter().skip(tap).step_by(taps).copied().collect();
            self.backend.vector(&name, column)
        };
        let linear = |part: &str, rows| {
            self.linear(&format!("{prefix}.shortconv.{part}"), [rows, width], ScaleRule::BEFORE_BIAS)
        };
        Ok(ConvolutionWeights {
            input: linear("in_proj", 3 * width)?,
            taps: (0..taps).map(tap).collect::<Result<_, _>>()?,
            output: linear("out_proj", width)?,
        })
    }
}
