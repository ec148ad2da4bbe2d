//! Puts weights on a device.
//!
//! Each tensor is read once, into private memory. Two things are done to it on the way: matrices that are always
//! multiplied by the same vectors are joined, and the rows of rotated heads are reordered so that the dimensions that
//! `RoPE` pairs lie half a head apart (scores do not change when queries and keys are permuted alike).

mod assembly;
mod matrices;

use candle_core::{Device, Shape, Tensor};
use rayon::prelude::*;

use self::assembly::layer;
use self::matrices::{Raw, halves_order};
use super::attention::HeadNorm;
use super::linear::{Embedding, Linear, Matrix, Stack};
use super::norm::NormLayer;
use super::{CandleExecutor, DeviceKind};
use crate::executor::Progress;
use crate::executor::load::{Backend, Decompression, HeadNormWeights, NormWeights, Part, Tensors, decoder};
use crate::executor::slots::Slots;
use crate::spec::DecoderSpec;
use crate::weights::{LoadError, LoadErrorKind, WeightSource};

pub(in crate::executor) use self::matrices::resident_bytes;

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
        let tensors = Tensors::new(source, spec.ignored, progress);
        let weights = decoder(&Placer { device: &device }, &tensors, &spec, context)?;
        let ropes = assembly::ropes(weights.ropes);
        let positions = weights.positions.map(|table| {
            let rows = table.len() / spec.embedding;
            place("position_embd.weight", table, (rows, spec.embedding), &device)
        });
        let layers = weights.layers.into_iter().map(|weights| layer(weights, &ropes, &spec));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self {
            context: weights.context,
            weight_bytes: tensors.loaded(),
            positions: positions.transpose()?,
            weightless_embedding_norm: spec.embedding_norm.then(|| NormLayer::new(spec.norm, None, None)),
            embedding_norm: weights.embedding_norm,
            layers,
            output_norm: weights.output_norm,
            output: weights.output.unwrap_or_else(|| weights.embedding.0.clone().into()),
            embedding: weights.embedding,
            sequences: Slots::new(),
            device,
            spec,
        })
    }
}

/// Puts weights on a device.
pub(crate) struct Placer<'a> {
    pub(crate) device: &'a Device,
}

/// A matrix and what surrounds it, before it is known whether it can be joined with others.
pub(crate) struct Unplaced {
    raw: Raw,
    bias: Option<Vec<f32>>,
    scale: Option<f32>,
    scales_bias: bool,
}

impl Backend for Placer<'_> {
    type Packed = Unplaced;
    type Linear = Linear;
    type Stack<const N: usize> = Stack<N>;
    type Embedding = Embedding;
    type HeadMatrices = Tensor;
    type Norm = NormLayer;
    type HeadNorm = HeadNorm;
    type Vector = Tensor;

    fn pack(&self, part: Part<'_>) -> Result<Unplaced, LoadError> {
        let mut raw = Raw::read(&part)?;
        let mut bias = part.companions.bias;
        if let Some(order) = halves_order(raw.rows, &part.heads) {
            raw.reorder(&order);
            bias = bias.map(|bias| order.iter().map(|&row| bias[row]).collect());
        }
        Ok(Unplaced { raw, bias, scale: part.companions.scale, scales_bias: part.companions.scales_bias })
    }

    fn linear(&self, packed: Unplaced) -> Result<Linear, LoadError> {
        let Unplaced { raw, bias, scale, scales_bias } = packed;
        let bias = bias.map(|bias| {
            let length = bias.len();
            place(&raw.name, bias, length, self.device)
        });
        let (before, after) = if scales_bias { (None, scale) } else { (scale, None) };
        Ok(Linear {
            matrix: raw.place(self.device)?,
            bias: bias.transpose()?,
            scale: before,
            scale_after_bias: after,
        })
    }

    /// Joins matrices one above the other, if they are of one type and none is scaled by itself.
    fn join<const N: usize>(&self, packed: [Unplaced; N]) -> Result<Stack<N>, LoadError> {
        let first = &packed[0].raw;
        let alike = |part: &Unplaced| {
            part.raw.ty == first.ty && part.raw.columns == first.columns && part.scale.is_none()
        };
        if !packed.iter().all(alike) {
            let linears = packed.into_iter().map(|packed| self.linear(packed));
            let linears = linears.collect::<Result<Vec<_>, _>>()?.try_into();
            return Ok(Stack::Separate(linears.unwrap_or_else(|_| unreachable!("there are as many"))));
        }
        let bias = packed.iter().any(|part| part.bias.is_some()).then(|| {
            let bias = |part: &Unplaced| part.bias.clone().unwrap_or_else(|| vec![0.0; part.raw.rows]);
            packed.iter().flat_map(bias).collect()
        });
        let raw = Raw {
            name: first.name.clone(),
            ty: first.ty,
            rows: packed.iter().map(|part| part.raw.rows).sum(),
            columns: first.columns,
            bytes: packed.iter().flat_map(|part| &part.raw.bytes).copied().collect(),
        };
        self.linear(Unplaced { raw, bias, scale: None, scales_bias: false }).map(Stack::Joined)
    }

    /// Leaves them joined.
    fn split<const N: usize>(&self, whole: Part<'_>, _rows: [usize; N]) -> Result<Stack<N>, LoadError> {
        self.linear(self.pack(whole)?).map(Stack::Joined)
    }

    fn embedding(&self, part: Part<'_>) -> Result<Embedding, LoadError> {
        Raw::read(&part)?.place(self.device).map(Embedding)
    }

    fn decompression(&self, tensors: Decompression<'_>) -> Result<(Option<Tensor>, Tensor), LoadError> {
        let turned = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        match tensors {
            Decompression::Apart { heads, keys, values } => {
                let each = |all: &Part<'_>| {
                    let shape = (heads, all.rows / heads, all.columns);
                    let name = all.tensor.name();
                    let tensor = place(name, all.tensor.floats()?, shape, self.device)?;
                    turned(&tensor).map_err(|error| device_error(name, error))
                };
                Ok((keys.as_ref().map(each).transpose()?, each(&values)?))
            }
            Decompression::Joined { heads, unrotated, all } => {
                let (rows, name) = (all.rows / heads, all.tensor.name());
                let both = place(name, all.tensor.floats()?, (heads, rows, all.columns), self.device)?;
                let parts = || {
                    let keys = match unrotated {
                        0 => None,
                        _ => Some(both.narrow(1, 0, unrotated)?.contiguous()?),
                    };
                    Ok((keys, turned(&both.narrow(1, unrotated, rows - unrotated)?)?))
                };
                parts().map_err(|error| device_error(name, error))
            }
        }
    }

    fn norm(&self, weights: NormWeights) -> Result<NormLayer, LoadError> {
        let NormWeights { norm, name, width, weight, bias } = weights;
        let place = |values: Option<Vec<f32>>| {
            values.map(|values| place(&name, values, width, self.device)).transpose()
        };
        Ok(NormLayer::new(norm, place(weight)?, place(bias)?))
    }

    fn head_norm(&self, weights: HeadNormWeights) -> Result<HeadNorm, LoadError> {
        let HeadNormWeights { norm, name, heads, length, width, weight, bias, adjacent } = weights;
        let order = halves_order(heads * length, adjacent.as_slice());
        let place = |values: Option<Vec<f32>>| -> Result<Option<Tensor>, LoadError> {
            let Some(values) = values else { return Ok(None) };
            let values = match &order {
                Some(order) => order.iter().map(|&row| values[row]).collect(),
                None => values,
            };
            if heads > 1 && width == length {
                place(&name, values, (heads, length), self.device).map(Some)
            } else {
                place(&name, values, heads * length, self.device).map(Some)
            }
        };
        Ok(HeadNorm { norm: NormLayer::new(norm, place(weight)?, place(bias)?), whole: width != length })
    }

    fn vector(&self, name: &str, values: Vec<f32>) -> Result<Tensor, LoadError> {
        let length = values.len();
        place(name, values, length, self.device)
    }

    /// At once: a tensor is placed by one thread.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        (0..count).into_par_iter().map(&load).collect()
    }

    fn each<T: Send>(
        &self,
        count: usize,
        load: impl Fn(&Self, usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        (0..count).map(|index| load(self, index)).collect()
    }
}

/// Puts numbers on a device.
pub(super) fn place(
    name: &str,
    values: Vec<f32>,
    shape: impl Into<Shape>,
    device: &Device,
) -> Result<Tensor, LoadError> {
    Tensor::from_vec(values, shape.into(), device).map_err(|error| device_error(name, error))
}

fn device_error(name: &str, error: candle_core::Error) -> LoadError {
    LoadError::caused(name, "the tensor cannot be put on the device", error).of_kind(LoadErrorKind::Device)
}

impl From<Matrix> for Linear {
    fn from(matrix: Matrix) -> Self {
        Self { matrix, bias: None, scale: None, scale_after_bias: None }
    }
}
