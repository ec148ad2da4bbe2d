//! Single tensors: read, checked, reordered, put on the device.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::super::linear::{Linear, Matrix};
use super::{Loader, Part, device_error};
use crate::executor::tensors::{check_finite, missing};
use crate::weights::{LoadError, TensorInfo, TensorType, WeightSource, dequantize};

/// A tensor as it lies in the file.
pub(crate) struct Raw {
    pub(crate) name: String,
    pub(crate) ty: TensorType,
    /// Outermost first.
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Raw {
    /// Reads a tensor that must be there and of a type that is known.
    pub(crate) fn read(source: &dyn WeightSource, name: &str) -> Result<Self, LoadError> {
        let tensor = source.tensor(name).ok_or_else(|| missing(name))?;
        let ty =
            tensor.ty.map_err(|id| LoadError::new(name, format!("the tensor has the unknown type {id}")))?;
        let bytes = source.read(name)?;
        check_finite(name, ty, &bytes, 0)?;
        Ok(Self { name: name.to_owned(), ty, shape: tensor.shape.clone(), bytes })
    }

    /// Columns: the contiguous dimension.
    pub(super) fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// All other dimensions together.
    pub(super) fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    pub(super) fn reorder(&mut self, order: &[usize]) {
        let row_bytes = self.bytes.len() / self.rows();
        self.bytes = order
            .iter()
            .flat_map(|&row| &self.bytes[row * row_bytes..(row + 1) * row_bytes])
            .copied()
            .collect();
    }

    /// Splits the outermost dimension.
    pub(super) fn split(self) -> impl Iterator<Item = Self> {
        let count = self.shape[0];
        let size = self.bytes.len() / count;
        (0..count).map(move |index| Self {
            name: self.name.clone(),
            ty: self.ty,
            shape: self.shape[1..].to_vec(),
            bytes: self.bytes[index * size..(index + 1) * size].to_vec(),
        })
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>, LoadError> {
        let mut values = vec![0.0; self.rows() * self.columns()];
        dequantize(self.ty, &self.bytes, &mut values)
            .map_err(|error| LoadError::caused(&self.name, "the tensor cannot be decoded", error))?;
        Ok(values)
    }

    /// Puts a matrix on the device, in its own type where candle computes with it.
    pub(crate) fn place(&self, device: &Device) -> Result<Matrix, LoadError> {
        let shape = (self.rows(), self.columns());
        let place = |ty, bytes: &[u8]| {
            let storage = QStorage::from_data(Cow::Borrowed(bytes), device, ty)?;
            Ok(Matrix::Blocks(Arc::new(QTensor::new(storage, shape)?)))
        };
        let placed = match candle_type(self.ty) {
            Some(ty) if device.is_cpu() || !matches!(ty, GgmlDType::F16 | GgmlDType::BF16) => {
                place(ty, &self.bytes)
            }
            _ => {
                let values = self.to_f32()?;
                Tensor::from_vec(values, shape, device).and_then(|values| {
                    // Half the memory of f32, and every 8-bit or smaller code times an f16 scale survives it.
                    let half = !matches!(self.ty, TensorType::F32 | TensorType::F64) && !device.is_cpu();
                    Ok(Matrix::Dense(if half { values.to_dtype(DType::F16)? } else { values }))
                })
            }
        };
        placed.map_err(|error| device_error(&self.name, error))
    }
}

impl Loader<'_> {
    /// A tensor of any shape as f32.
    pub(super) fn dense(&self, name: &str) -> Result<Tensor, LoadError> {
        let raw = self.raw(name)?;
        Tensor::from_vec(raw.to_f32()?, raw.shape.clone(), self.device)
            .map_err(|error| device_error(name, error))
    }

    /// A tensor of `length` elements, if there is one.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Option<Tensor>, LoadError> {
        match self.tensors.vector(name, length)? {
            None => Ok(None),
            Some(values) => Tensor::from_vec(values, length, self.device)
                .map(Some)
                .map_err(|error| device_error(name, error)),
        }
    }

    /// A matrix alone.
    pub(super) fn matrix(&self, name: &str, shape: Option<(usize, usize)>) -> Result<Matrix, LoadError> {
        if let Some((rows, columns)) = shape {
            self.tensors.expect_shape(name, &[rows, columns])?;
        }
        self.raw(name)?.place(self.device)
    }

    /// A matrix with its bias and scale, `X.weight`, `X.bias` and `X.scale`.
    pub(super) fn linear(
        &self,
        name: &str,
        shape: Option<(usize, usize)>,
        order: Option<&[usize]>,
        scale_after_bias: bool,
    ) -> Result<Linear, LoadError> {
        let part = self.part(name, shape, true)?.reorder(order);
        let mut linear = self.finish(part)?;
        if scale_after_bias {
            linear.scale_after_bias = linear.scale.take();
        }
        Ok(linear)
    }

    /// Reads `X.weight`, `X.bias` and, where it counts, `X.scale`.
    pub(super) fn part(
        &self,
        name: &str,
        shape: Option<(usize, usize)>,
        scaled: bool,
    ) -> Result<Part, LoadError> {
        let weight = format!("{name}.weight");
        if let Some((rows, columns)) = shape {
            self.tensors.expect_shape(&weight, &[rows, columns])?;
        }
        let raw = self.raw(&weight)?;
        let bias = self.tensors.vector(&format!("{name}.bias"), raw.rows())?;
        let scale = if scaled || raw.ty == TensorType::NVFP4 {
            self.tensors.vector(&format!("{name}.scale"), 1)?.map(|scale| scale[0])
        } else {
            None
        };
        Ok(Part { raw, bias, scale })
    }

    /// Puts a matrix and its bias on the device.
    pub(super) fn finish(&self, part: Part) -> Result<Linear, LoadError> {
        let name = part.raw.name.clone();
        let bias = match part.bias {
            None => None,
            Some(bias) => {
                let length = bias.len();
                Some(
                    Tensor::from_vec(bias, length, self.device)
                        .map_err(|error| device_error(&name, error))?,
                )
            }
        };
        Ok(Linear { matrix: part.raw.place(self.device)?, bias, scale: part.scale, scale_after_bias: None })
    }

    /// Joins matrices one above the other, if they are of one type and none is scaled by itself; else gives them back.
    pub(super) fn join(&self, parts: Vec<Part>) -> Result<Result<Linear, Vec<Part>>, LoadError> {
        let first = &parts[0].raw;
        let alike = |part: &Part| {
            part.raw.ty == first.ty && part.raw.columns() == first.columns() && part.scale.is_none()
        };
        if !parts.iter().all(alike) {
            return Ok(Err(parts));
        }
        let rows = parts.iter().map(|part| part.raw.rows()).sum();
        let bias = parts.iter().any(|part| part.bias.is_some()).then(|| {
            parts
                .iter()
                .flat_map(|part| part.bias.clone().unwrap_or_else(|| vec![0.0; part.raw.rows()]))
                .collect()
        });
        let raw = Raw {
            name: first.name.clone(),
            ty: first.ty,
            shape: vec![rows, first.columns()],
            bytes: parts.iter().flat_map(|part| &part.raw.bytes).copied().collect(),
        };
        self.finish(Part { raw, bias, scale: None }).map(Ok)
    }
}

/// Bytes that a tensor takes on the processor: types with which candle cannot compute become f32.
pub(in crate::executor) fn resident_bytes(tensor: &TensorInfo) -> u64 {
    match tensor.ty.map(candle_type) {
        Ok(None) => tensor.elements() as u64 * size_of::<f32>() as u64,
        _ => tensor.bytes,
    }
}

/// The type under which candle computes with these blocks.
fn candle_type(ty: TensorType) -> Option<GgmlDType> {
    Some(match ty {
        TensorType::F16 => GgmlDType::F16,
        TensorType::BF16 => GgmlDType::BF16,
        TensorType::Q4_0 => GgmlDType::Q4_0,
        TensorType::Q4_1 => GgmlDType::Q4_1,
        TensorType::Q5_0 => GgmlDType::Q5_0,
        TensorType::Q5_1 => GgmlDType::Q5_1,
        TensorType::Q8_0 => GgmlDType::Q8_0,
        TensorType::Q2_K => GgmlDType::Q2K,
        TensorType::Q3_K => GgmlDType::Q3K,
        TensorType::Q4_K => GgmlDType::Q4K,
        TensorType::Q5_K => GgmlDType::Q5K,
        TensorType::Q6_K => GgmlDType::Q6K,
        _ => return None,
    })
}
