//! Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
//!
//! Per token the cache holds one vector: the compressed keys and values, then the rotated part of the key that all
//! heads share. The matrices that would decompress keys are applied to the queries instead ("absorbed"), and those of
//! the values to the mixed vectors, so that attention itself is multi-query attention over the compressed vectors.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::Caches;
use super::attention::{Mask, ScoreRules, attend_with_mask};
use super::linear::Linear;
use super::norm::NormLayer;
use super::rope::{Rope, Rotations};
use crate::executor::batch::Span;
use crate::spec::LatentSpec;

/// Latent attention of one layer.
pub(super) struct Latent {
    pub(super) spec: LatentSpec,
    pub(super) query: LatentQuery,
    /// Makes the compressed vector and the rotated part of the key.
    pub(super) compress: Linear,
    pub(super) compressed_norm: NormLayer,
    /// Takes a head's unrotated query to the compressed space, `[heads, unrotated, rank]`; `None` if all of it rotates.
    pub(super) absorb: Option<Tensor>,
    /// Takes a head's mixed vector to its value, `[heads, rank, value length]`.
    pub(super) decompress: Tensor,
    pub(super) rope: Arc<Rope>,
    pub(super) output: Linear,
}

/// The matrices that make queries.
pub(super) enum LatentQuery {
    /// One matrix.
    Direct(Linear),
    /// Through a compressed vector of their own.
    Compressed { down: Linear, norm: NormLayer, up: Linear },
}

impl Latent {
    pub(super) fn forward(
        &self,
        x: &Tensor,
        spans: &[Span],
        rotations: &Rotations,
        caches: &mut Caches<'_>,
    ) -> Result<Tensor> {
        let spec = &self.spec;
        let tokens = x.dim(0)?;
        let (rotated, table) = (spec.rope.dimensions, rotations.table(&self.rope)?);
        let unrotated = spec.key_length - rotated;
        let query = match &self.query {
            LatentQuery::Direct(query) => query.forward(x)?,
            LatentQuery::Compressed { down, norm, up } => up.forward(&norm.forward(&down.forward(x)?)?)?,
        };
        let query = query.reshape((tokens, spec.heads, spec.key_length))?;
        let absorbed = match &self.absorb {
            Some(absorb) => {
                let unrotated = query.narrow(2, 0, unrotated)?.transpose(0, 1)?.contiguous()?;
                unrotated.matmul(absorb)?.transpose(0, 1)?.contiguous()?
            }
            None => Tensor::zeros((tokens, spec.heads, spec.kv_rank), query.dtype(), query.device())?,
        };
        let turned = table.rotate(&query.narrow(2, unrotated, rotated)?.contiguous()?)?;
        let mut query = Tensor::cat(&[&absorbed, &turned], 2)?;
        if let Some(temperature) = spec.temperature {
            query = temperature.apply(&query, spans)?;
        }

        let compressed = self.compress.forward(x)?;
        let shared = compressed.narrow(1, spec.kv_rank, rotated)?.contiguous()?.unsqueeze(1)?;
        let shared = table.rotate(&shared)?;
        let latent = self.compressed_norm.forward(&compressed.narrow(1, 0, spec.kv_rank)?)?.unsqueeze(1)?;
        let keys = Tensor::cat(&[&latent, &shared], 2)?;

        let rules = ScoreRules { scale: spec.scale, softcap: None, slopes: None };
        let mut outputs = Vec::with_capacity(spans.len());
        for span in spans.iter().filter(|span| span.len > 0) {
            let all = caches.of(span).append_shared(&keys.narrow(0, span.start, span.len)?)?;
            let values = all.narrow(2, 0, spec.kv_rank)?;
            let mask = Mask {
                tokens: span.len,
                first_key: 0,
                keys: all.dim(0)?,
                position: span.position,
                window: None,
            };
            let query = query.narrow(0, span.start, span.len)?;
            outputs.push(attend_with_mask(&query, &all, &values, &mask, &rules, None)?);
        }
        let mixed = Tensor::cat(&outputs, 0)?.reshape((tokens, spec.heads, spec.kv_rank))?;
        let values = mixed.transpose(0, 1)?.contiguous()?.matmul(&self.decompress)?;
        self.output.forward(&values.transpose(0, 1)?.contiguous()?.flatten_from(1)?)
    }
}
