//! Mixers other than attention, put together from tensors.

use stack_kernels::Matrix;

use super::super::convolution::ShortConvolution;
use super::super::latent::{Latent, LatentQuery};
use super::super::norm::NormLayer;
use super::{Loader, Scale, is_convolution};
use crate::executor::tensors::missing;
use crate::spec::{LatentSpec, Norm, NormKind};
use crate::weights::LoadError;

impl Loader<'_> {
    pub(super) fn latent(
        &self,
        index: usize,
        prefix: &str,
        spec: &LatentSpec,
        rope: usize,
    ) -> Result<Latent, LoadError> {
        let width = self.spec.embedding;
        let queries = spec.heads * spec.key_length;
        let linear = |part: &str, rows, columns| {
            self.linear(&format!("{prefix}.{part}"), [rows, columns], Scale::BeforeBias)
        };
        let query = match spec.query_rank {
            None => LatentQuery::Direct(linear("attn_q", queries, width)?),
            Some(rank) => LatentQuery::Compressed {
                down: linear("attn_q_a", rank, width)?,
                norm: self.latent_norm(&format!("{prefix}.attn_q_a_norm.weight"), rank)?,
                up: linear("attn_q_b", queries, rank)?,
            },
        };
        let (absorb, decompress) = self.latent_decompression(prefix, spec)?;
        Ok(Latent {
            cache: index,
            query,
            compress: linear("attn_kv_a_mqa", spec.kv_rank + spec.rope.dimensions, width)?,
            compressed_norm: self.latent_norm(&format!("{prefix}.attn_kv_a_norm.weight"), spec.kv_rank)?,
            absorb,
            decompress,
            rope,
            output: linear("attn_output", width, spec.heads * spec.value_length)?,
            spec: spec.clone(),
        })
    }

    fn latent_norm(&self, name: &str, width: usize) -> Result<NormLayer, LoadError> {
        let weight = self.vector(name, width)?.ok_or_else(|| missing(name))?;
        let norm = Norm { kind: NormKind::Rms, ..self.spec.norm };
        Ok(NormLayer { norm, width, weight: Some(weight), bias: None })
    }

    /// For each head the matrix that takes unrotated queries to the compressed space, and the one that takes mixed
    /// vectors out of it; from two tensors or, in older files, from one.
    fn latent_decompression(
        &self,
        prefix: &str,
        spec: &LatentSpec,
    ) -> Result<(Option<Vec<Matrix>>, Vec<Matrix>), LoadError> {
        let unrotated = spec.key_length - spec.rope.dimensions;
        let (heads, rank) = (spec.heads, spec.kv_rank);
        let both = format!("{prefix}.attn_kv_b.weight");
        if self.tensors.has(&both) {
            return self.joined_decompression(&both, spec, unrotated);
        }
        let each = |part: &str, rows, columns| -> Result<Vec<Matrix>, LoadError> {
            let name = format!("{prefix}.{part}.weight");
            let found = self.find(&name)?;
            let shape = [heads, rows, columns];
            // A tensor whose outermost dimension is 1 may lack it.
            let stored = &found.info.shape;
            if *stored != shape && !(heads == 1 && *stored == shape[1..]) {
                let problem = format!("the tensor has shape {stored:?}; expected {shape:?}");
                return Err(LoadError::new(&name, problem));
            }
            (0..heads).map(|head| self.matrix(self.cpu, &found, head * rows, [rows, columns])).collect()
        };
        let absorb = if unrotated > 0 { Some(each("attn_k_b", rank, unrotated)?) } else { None };
        Ok((absorb, each("attn_v_b", spec.value_length, rank)?))
    }

    /// For each head `[unrotated, rank]` for keys, which is turned, and then `[value length, rank]` for values.
    fn joined_decompression(
        &self,
        name: &str,
        spec: &LatentSpec,
        unrotated: usize,
    ) -> Result<(Option<Vec<Matrix>>, Vec<Matrix>), LoadError> {
        let (heads, rank) = (spec.heads, spec.kv_rank);
        let rows = unrotated + spec.value_length;
        self.tensors.expect_shape(name, &[heads * rows, rank])?;
        let found = self.find(name)?;
        let values = (0..heads)
            .map(|head| self.matrix(self.cpu, &found, head * rows + unrotated, [spec.value_length, rank]))
            .collect::<Result<_, _>>()?;
        if unrotated == 0 {
            return Ok((None, values));
        }
        let all = self.tensors.floats(name)?;
        let absorb = all
            .chunks_exact(rows * rank)
            .map(|head| {
                let turned: Vec<f32> = (0..rank)
                    .flat_map(|column| head[column..unrotated * rank].iter().step_by(rank))
                    .copied()
                    .collect();
                self.pack(name, &turned, [rank, unrotated])
            })
            .collect::<Result<_, _>>()?;
        Ok((Some(absorb), values))
    }

    pub(super) fn short_convolution(
        &self,
        index: usize,
        prefix: &str,
        taps: usize,
    ) -> Result<ShortConvolution, LoadError> {
        let width = self.spec.embedding;
        let kernel = self.tensors.convolution(prefix, taps)?;
        self.hold(size_of_val(kernel.as_slice()));
        let linear = |part: &str, rows| {
            self.linear(&format!("{prefix}.shortconv.{part}"), [rows, width], Scale::BeforeBias)
        };
        Ok(ShortConvolution {
            state: self.spec.layers[..index].iter().filter(|layer| is_convolution(&layer.mixer)).count(),
            input: linear("in_proj", 3 * width)?,
            taps: (0..taps).flat_map(|tap| kernel.iter().skip(tap).step_by(taps)).copied().collect(),
            output: linear("out_proj", width)?,
        })
    }
}
