//! Single matrices: read, reordered, put on the device.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::super::linear::Matrix;
use super::device_error;
use crate::executor::load::{AdjacentHeads, Part};
use crate::weights::{LoadError, TensorInfo, TensorType, dequantize};

/// A matrix as it lies in the file.
pub(super) struct Raw {
    pub(super) name: String,
    pub(super) ty: TensorType,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) bytes: Vec<u8>,
}

impl Raw {
    /// Reads a matrix.
    pub(super) fn read(part: &Part<'_>) -> Result<Self, LoadError> {
        let &Part { tensor, first_row, rows, columns, .. } = part;
        let row_bytes = tensor.row_bytes(columns)?;
        let size = usize::try_from(rows as u64 * row_bytes).map_err(|error| {
            LoadError::caused(tensor.name(), "the tensor is too large for this machine", error)
        })?;
        let mut bytes = vec![0; size];
        tensor.read_at(first_row as u64 * row_bytes, &mut bytes)?;
        Ok(Self { name: tensor.name().to_owned(), ty: tensor.ty(), rows, columns, bytes })
    }

    pub(super) fn reorder(&mut self, order: &[usize]) {
        let row_bytes = self.bytes.len() / self.rows;
        self.bytes = order
            .iter()
            .flat_map(|&row| &self.bytes[row * row_bytes..(row + 1) * row_bytes])
            .copied()
            .collect();
    }

    fn to_f32(&self) -> Result<Vec<f32>, LoadError> {
        let mut values = vec![0.0; self.rows * self.columns];
        dequantize(self.ty, &self.bytes, &mut values)
            .map_err(|error| LoadError::caused(&self.name, "the tensor cannot be decoded", error))?;
        Ok(values)
    }

    /// Puts a matrix on the device, in its own type where candle computes with it.
    pub(super) fn place(&self, device: &Device) -> Result<Matrix, LoadError> {
        let shape = (self.rows, self.columns);
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

/// The order that brings rows 2i and 2i + 1 of the rotated part of each head half that part apart; `None` where nothing is
/// rotated like that.
pub(super) fn halves_order(rows: usize, heads: &[AdjacentHeads]) -> Option<Vec<usize>> {
    if heads.is_empty() {
        return None;
    }
    let mut order: Vec<usize> = (0..rows).collect();
    for &AdjacentHeads { first, count, length, offset, rotated } in heads {
        for head in 0..count {
            let start = first + head * length + offset;
            for pair in 0..rotated / 2 {
                order[start + pair] = start + 2 * pair;
                order[start + rotated / 2 + pair] = start + 2 * pair + 1;
            }
        }
    }
    Some(order)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_pairs_become_halves() {
        let order = |rows, first, count, length, offset, rotated| {
            halves_order(rows, &[AdjacentHeads { first, count, length, offset, rotated }]).unwrap()
        };
        assert_eq!(order(6, 0, 1, 6, 0, 4), [0, 2, 1, 3, 4, 5]);
        assert_eq!(order(8, 0, 2, 4, 2, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order(10, 1, 2, 4, 0, 4), [0, 1, 3, 2, 4, 5, 7, 6, 8, 9]);
        assert_eq!(halves_order(6, &[]), None);
    }
}
