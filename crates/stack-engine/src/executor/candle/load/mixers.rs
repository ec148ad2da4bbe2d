//! Mixers other than attention, put together from tensors.

use std::sync::Arc;

use candle_core::Tensor;

use super::super::convolution::ShortConvolution;
use super::super::latent::{Latent, LatentQuery};
use super::super::norm::NormLayer;
use super::super::rope::Rope;
use super::{Loader, device_error, halves_order};
use crate::executor::tensors::missing;
use crate::spec::{LatentSpec, Norm, NormKind, Rotation};
use crate::weights::LoadError;

impl Loader<'_> {
    pub(super) fn latent(
        &self,
        prefix: &str,
        spec: &LatentSpec,
        rope: Arc<Rope>,
    ) -> Result<Latent, LoadError> {
        let width = self.spec.embedding;
        let rotated = spec.rope.dimensions;
        let unrotated = spec.key_length - rotated;
        let adjacent = spec.rope.rotation == Rotation::Adjacent;
        let query_order = adjacent.then(|| halves_order(spec.heads, spec.key_length, unrotated, rotated));
        let key_order = adjacent.then(|| halves_order(1, spec.kv_rank + rotated, spec.kv_rank, rotated));
        let queries = spec.heads * spec.key_length;
        let rms = Norm { kind: NormKind::Rms, ..self.spec.norm };
        let inner_norm = |name: &str, length| -> Result<NormLayer, LoadError> {
            let name = format!("{prefix}.{name}.weight");
            let weight = self.vector(&name, length)?.ok_or_else(|| missing(&name))?;
            Ok(NormLayer::new(rms, Some(weight), None))
        };
        let query = match spec.query_rank {
            None => LatentQuery::Direct(self.linear(
                &format!("{prefix}.attn_q"),
                Some((queries, width)),
                query_order.as_deref(),
                false,
            )?),
            Some(rank) => LatentQuery::Compressed {
                down: self.linear(&format!("{prefix}.attn_q_a"), Some((rank, width)), None, false)?,
                norm: inner_norm("attn_q_a_norm", rank)?,
                up: self.linear(
                    &format!("{prefix}.attn_q_b"),
                    Some((queries, rank)),
                    query_order.as_deref(),
                    false,
                )?,
            },
        };
        let compress = self.linear(
            &format!("{prefix}.attn_kv_a_mqa"),
            Some((spec.kv_rank + rotated, width)),
            key_order.as_deref(),
            false,
        )?;
        let (absorb, decompress) = self.latent_decompression(prefix, spec, unrotated)?;
        Ok(Latent {
            query,
            compress,
            compressed_norm: inner_norm("attn_kv_a_norm", spec.kv_rank)?,
            absorb,
            decompress,
            rope,
            output: self.linear(
                &format!("{prefix}.attn_output"),
                Some((width, spec.heads * spec.value_length)),
                None,
                false,
            )?,
            spec: spec.clone(),
        })
    }

    /// The matrices that decompress keys and values, from two tensors or, in older files, from one.
    fn latent_decompression(
        &self,
        prefix: &str,
        spec: &LatentSpec,
        unrotated: usize,
    ) -> Result<(Option<Tensor>, Tensor), LoadError> {
        let (heads, rank) = (spec.heads, spec.kv_rank);
        let turn = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let both = format!("{prefix}.attn_kv_b.weight");
        if self.tensors.has(&both) {
            let rows = unrotated + spec.value_length;
            self.tensors.expect_shape(&both, &[heads * rows, rank])?;
            let parts = self.dense(&both)?;
            return (|| {
                let parts = parts.reshape((heads, rows, rank))?;
                let keys = match unrotated {
                    0 => None,
                    _ => Some(parts.narrow(1, 0, unrotated)?.contiguous()?),
                };
                Ok((keys, turn(&parts.narrow(1, unrotated, spec.value_length)?)?))
            })()
            .map_err(|error| device_error(&both, error));
        }
        let (key_name, value_name) =
            (format!("{prefix}.attn_k_b.weight"), format!("{prefix}.attn_v_b.weight"));
        let three = |name: &str, shape: [usize; 3]| {
            // A tensor whose outermost dimension is 1 may lack it.
            let found = self.tensors.get(name)?.shape.clone();
            if found != shape && !(shape[0] == 1 && found == shape[1..]) {
                return Err(LoadError::new(
                    name,
                    format!("the tensor has shape {found:?}; expected {shape:?}"),
                ));
            }
            let dense = self.dense(name)?.reshape(&shape[..]).and_then(|x| turn(&x));
            dense.map_err(|error| device_error(name, error))
        };
        Ok((
            if unrotated > 0 { Some(three(&key_name, [heads, rank, unrotated])?) } else { None },
            three(&value_name, [heads, spec.value_length, rank])?,
        ))
    }

    pub(super) fn short_convolution(&self, prefix: &str, taps: usize) -> Result<ShortConvolution, LoadError> {
        let width = self.spec.embedding;
        let kernel = self.tensors.convolution(prefix, taps)?;
        let tap = |tap: usize| {
            let column: Vec<f32> = kernel.iter().skip(tap).step_by(taps).copied().collect();
            Tensor::from_vec(column, width, self.device).map_err(|error| device_error(prefix, error))
        };
        Ok(ShortConvolution {
            input: self.linear(
                &format!("{prefix}.shortconv.in_proj"),
                Some((3 * width, width)),
                None,
                false,
            )?,
            taps: (0..taps).map(tap).collect::<Result<_, _>>()?,
            output: self.linear(
                &format!("{prefix}.shortconv.out_proj"),
                Some((width, width)),
                None,
                false,
            )?,
        })
    }
}
