//! Weights from a model's files onto a device.
//!
//! Each tensor is read once, into private memory. Two things are done to it on the way: matrices that are always
//! multiplied by the same vectors are joined, and the rows of rotated heads are reordered so that the dimensions that
//! `RoPE` pairs lie half a head apart (scores do not change when queries and keys are permuted alike).

mod matrices;
mod mixers;
mod networks;
mod parts;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

pub(crate) use self::matrices::Raw;
pub(in crate::executor) use self::matrices::resident_bytes;
use super::linear::{Embedding, Linear, Matrix};
use super::norm::NormLayer;
use super::rope::Rope;
use super::{CandleExecutor, DeviceKind};
use crate::executor::Progress;
use crate::executor::norms::NormWeights;
use crate::executor::slots::Slots;
use crate::executor::tensors::Tensors;
use crate::spec::{DecoderSpec, RopeSpec};
use crate::weights::{LoadError, LoadErrorKind, WeightSource};

impl CandleExecutor {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// Names the tensor or key that is missing, of the wrong shape or of an unknown type.
    pub(in crate::executor) fn load(
        source: &dyn WeightSource,
        spec: DecoderSpec,
        device: DeviceKind,
        context: usize,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        let device = device.open().map_err(|error| {
            LoadError::caused(format!("device {device}"), "cannot be used", error)
                .of_kind(LoadErrorKind::Device)
        })?;
        let tensors = Tensors::new(source, &spec, progress);
        let loader = Loader { tensors, device: &device, spec: &spec, context };
        let embedding = loader.matrix("token_embd.weight", None)?;
        let vocabulary = loader.tensors.rows("token_embd.weight")?;
        let output = if loader.tensors.has("output.weight") {
            loader.linear("output", Some((spec.vocabulary, spec.embedding)), None, false)?
        } else {
            Linear { matrix: embedding.clone(), bias: None, scale: None, scale_after_bias: None }
        };
        loader.tensors.expect_shape("token_embd.weight", &[vocabulary, spec.embedding])?;
        let positions = if loader.tensors.has("position_embd.weight") {
            Some(loader.dense("position_embd.weight")?)
        } else {
            None
        };
        let context = match &positions {
            Some(table) => context.min(table.dims()[0]),
            None => context,
        };
        let norms = loader.tensors.outer_norms()?;
        let embedding_norm = norms.embedding.map(|norm| loader.placed(norm)).transpose()?;
        let output_norm = loader.placed(norms.output)?;
        let ropes = loader.ropes()?;
        let layers = (0..spec.layers.len())
            .into_par_iter()
            .map(|index| loader.layer(index, &ropes))
            .collect::<Result<_, _>>()?;
        loader.tensors.refuse_unused()?;
        let weight_bytes = loader.tensors.loaded();
        Ok(Self {
            device: device.clone(),
            context,
            weight_bytes,
            embedding: Embedding(embedding),
            positions,
            weightless_embedding_norm: spec.embedding_norm.then(|| NormLayer::new(spec.norm, None, None)),
            embedding_norm,
            layers,
            output_norm,
            output,
            sequences: Slots::new(),
            spec,
        })
    }
}

struct Loader<'a> {
    tensors: Tensors<'a>,
    device: &'a Device,
    spec: &'a DecoderSpec,
    context: usize,
}

impl Loader<'_> {
    fn raw(&self, name: &str) -> Result<Raw, LoadError> {
        let raw = Raw::read(self.tensors.source(), name)?;
        self.tensors.claim(name);
        self.tensors.count(raw.bytes.len() as u64);
        Ok(raw)
    }

    /// Puts a norm on the device.
    fn placed(&self, weights: NormWeights) -> Result<NormLayer, LoadError> {
        let NormWeights { name, width, weight, bias } = weights;
        let place = |values: Option<Vec<f32>>| {
            let placed = values.map(|values| Tensor::from_vec(values, width, self.device)).transpose();
            placed.map_err(|error| device_error(&name, error))
        };
        Ok(NormLayer::new(self.spec.norm, place(weight)?, place(bias)?))
    }

    /// The rotation of each layer; equal ones are shared.
    fn ropes(&self) -> Result<Vec<Option<Arc<Rope>>>, LoadError> {
        let divisors = self.tensors.rope_divisors(self.context)?;
        let mut known: Vec<Arc<Rope>> = Vec::new();
        let mut share = |spec: &RopeSpec| {
            let frequencies = spec.frequencies(divisors.as_deref());
            let rope = Rope { frequencies, magnitude: spec.magnitude };
            if let Some(known) = known.iter().find(|known| ***known == rope) {
                Arc::clone(known)
            } else {
                known.push(Arc::new(rope));
                Arc::clone(&known[known.len() - 1])
            }
        };
        Ok(self.spec.layers.iter().map(|layer| layer.mixer.rope().map(&mut share)).collect())
    }
}

/// The order that brings rows 2i and 2i + 1 of each head to i and i + r/2, for the `rotated` rows from `offset` on.
fn halves_order(heads: usize, length: usize, offset: usize, rotated: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..heads * length).collect();
    for head in 0..heads {
        let start = head * length + offset;
        for pair in 0..rotated / 2 {
            order[start + pair] = start + 2 * pair;
            order[start + rotated / 2 + pair] = start + 2 * pair + 1;
        }
    }
    order
}

/// A matrix and what surrounds it, before it is known whether it can be joined with others.
struct Part {
    raw: Raw,
    bias: Option<Vec<f32>>,
    scale: Option<f32>,
}

impl Part {
    fn reorder(mut self, order: Option<&[usize]>) -> Self {
        if let Some(order) = order {
            self.raw.reorder(order);
            self.bias = self.bias.map(|bias| order.iter().map(|&row| bias[row]).collect());
        }
        self
    }
}

fn device_error(name: &str, error: candle_core::Error) -> LoadError {
    LoadError::caused(name, "the tensor cannot be put on the device", error).of_kind(LoadErrorKind::Device)
}

impl From<Matrix> for Linear {
    fn from(matrix: Matrix) -> Self {
        Self { matrix, bias: None, scale: None, scale_after_bias: None }
    }
}

#[cfg(test)]
mod tests {
    use super::halves_order;

    #[test]
    fn adjacent_pairs_become_halves() {
        assert_eq!(halves_order(1, 6, 0, 4), [0, 2, 1, 3, 4, 5]);
        assert_eq!(halves_order(2, 4, 2, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(halves_order(2, 4, 0, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
