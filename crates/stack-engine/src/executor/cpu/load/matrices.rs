//! Single matrices: read and packed.

use stack_kernels::{Format, LoadError as PackError, Matrix};

use super::super::formats::{own_format, stand_in};
use super::Packer;
use crate::executor::load::Part;
use crate::weights::{LoadError, TensorInfo, dequantize};

impl Packer {
    /// Packs a matrix, without what the file says beside it.
    pub(super) fn matrix(&self, part: &Part<'_>) -> Result<Matrix, LoadError> {
        let &Part { tensor, first_row, rows, columns, .. } = part;
        let row_bytes = tensor.row_bytes(columns)?;
        let start = first_row as u64 * row_bytes;
        let matrix = if let Some(format) = own_format(tensor.ty()) {
            Matrix::load(&self.cpu, format, rows, columns, &|offset, bytes: &mut [u8]| {
                tensor.read_at(start + offset, bytes)
            })
        } else {
            let format = stand_in(tensor.ty());
            let row = columns * format.block_bytes();
            Matrix::load(&self.cpu, format, rows, columns, &|offset, bytes: &mut [u8]| {
                let first = offset / row as u64;
                let mut stored = vec![0; row_bytes as usize];
                let mut values = vec![0.0; columns];
                for (index, out) in bytes.chunks_exact_mut(row).enumerate() {
                    tensor.read_at(start + (first + index as u64) * row_bytes, &mut stored)?;
                    dequantize(tensor.ty(), &stored, &mut values)?;
                    encode(format, &values, out);
                }
                Ok(())
            })
        };
        let matrix = matrix.map_err(|error| match error {
            PackError::Read(error) => error,
            PackError::Shape(error) => LoadError::caused(tensor.name(), "the tensor is not a matrix", error),
        })?;
        self.hold_bytes(matrix.bytes());
        Ok(matrix)
    }

    /// Packs rows of numbers.
    pub(super) fn matrix_of(
        &self,
        name: &str,
        values: &[f32],
        [rows, columns]: [usize; 2],
    ) -> Result<Matrix, LoadError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let matrix = Matrix::pack(&self.cpu, Format::F32, rows, columns, &bytes)
            .map_err(|error| LoadError::caused(name, "the tensor is not a matrix", error))?;
        self.hold_bytes(matrix.bytes());
        Ok(matrix)
    }
}

/// Bytes that a tensor takes when it is loaded.
pub(in crate::executor) fn resident_bytes(tensor: &TensorInfo) -> u64 {
    let floats = tensor.elements() as u64 * size_of::<f32>() as u64;
    let (Ok(ty), [outer @ .., columns]) = (tensor.ty, tensor.shape.as_slice()) else { return floats };
    if outer.is_empty() {
        return floats;
    }
    let format = own_format(ty).unwrap_or_else(|| stand_in(ty));
    let (rows, matrices) = match outer {
        [matrices, rows] => (*rows, *matrices),
        _ => (outer.iter().product(), 1),
    };
    Matrix::bytes_for(format, rows, *columns).map_or(floats, |bytes| bytes as u64 * matrices as u64)
}

/// Writes numbers as a file would store them.
fn encode(format: Format, values: &[f32], out: &mut [u8]) {
    if format == Format::F16 {
        for (value, out) in values.iter().zip(out.as_chunks_mut::<2>().0) {
            *out = half::f16::from_f32(*value).to_le_bytes();
        }
    } else {
        for (value, out) in values.iter().zip(out.as_chunks_mut::<4>().0) {
            *out = value.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::TensorType;

    /// Every code of a type that becomes F16, under scales of both extremes.
    #[test]
    fn stand_ins_are_exact() {
        for ty in TensorType::ALL.into_iter().filter(|&ty| stand_in(ty) == Format::F16) {
            for seed in 0..64u8 {
                let mut block: Vec<u8> = (0..ty.block_bytes())
                    .map(|at| (at as u8).wrapping_mul(37).wrapping_add(seed.wrapping_mul(91)))
                    .collect();
                // A scale that is infinite or no number says nothing; NVFP4's has no such codes below 0x7F.
                if ty == TensorType::NVFP4 {
                    block[..4].iter_mut().for_each(|scale| *scale &= 0x7E);
                } else if let [.., low, high] = block.as_mut_slice()
                    && ty != TensorType::Q1_0
                {
                    (*low, *high) = (seed, 0x3C);
                }
                if ty == TensorType::Q1_0 {
                    (block[0], block[1]) = (seed, 0x04);
                }
                let mut values = vec![0.0; ty.block_elements()];
                dequantize(ty, &block, &mut values).unwrap();
                let mut encoded = vec![0; 2 * values.len()];
                encode(Format::F16, &values, &mut encoded);
                let mut decoded = vec![0.0; values.len()];
                dequantize(TensorType::F16, &encoded, &mut decoded).unwrap();
                assert_eq!(decoded, values, "{ty}");
            }
        }
    }
}
