//! Single matrices: found, checked, packed.

use stack_kernels::{Cpu, Format, LoadError as PackError, Matrix};

use super::super::linear::{Companions, Linear};
use super::{Loader, Scale};
use crate::executor::tensors::{check_finite, known_type};
use crate::weights::{LoadError, TensorData, TensorInfo, TensorType, dequantize};

/// A tensor whose matrices are about to be packed.
pub(super) struct Found<'a> {
    name: &'a str,
    pub(super) info: &'a TensorInfo,
    ty: TensorType,
    data: TensorData<'a>,
}

impl Found<'_> {
    /// The element that lies at a byte of the tensor's data, which is the first of a block.
    fn element(&self, byte: u64) -> usize {
        byte as usize / self.ty.block_bytes() * self.ty.block_elements()
    }
}

impl Loader<'_> {
    /// Finds a tensor of matrices.
    pub(super) fn find<'b>(&'b self, name: &'b str) -> Result<Found<'b>, LoadError> {
        let info = self.tensors.get(name)?;
        let ty = known_type(info)?;
        self.tensors.claim(name);
        Ok(Found { name, info, ty, data: self.tensors.source().data(name)? })
    }

    /// A matrix that is a tensor of its own. A number of rows or columns that is not given may be any.
    pub(super) fn whole_matrix(&self, name: &str, shape: [Option<usize>; 2]) -> Result<Matrix, LoadError> {
        let found = self.find(name)?;
        match found.info.shape.as_slice() {
            &[rows, columns]
                if shape[0].is_none_or(|expected| expected == rows)
                    && shape[1].is_none_or(|expected| expected == columns) =>
            {
                self.matrix(self.cpu, &found, 0, [rows, columns])
            }
            other => {
                let expected = shape.map(|length| length.map_or_else(|| "any".to_owned(), |n| n.to_string()));
                let problem = format!("the tensor has shape {other:?}; expected [{}]", expected.join(", "));
                Err(LoadError::new(name, problem))
            }
        }
    }

    /// Packs a matrix that begins at some row of a tensor.
    pub(super) fn matrix(
        &self,
        cpu: &Cpu,
        found: &Found<'_>,
        first_row: usize,
        [rows, columns]: [usize; 2],
    ) -> Result<Matrix, LoadError> {
        let Some(row_bytes) = found.ty.bytes_for(columns as u64) else {
            let problem = format!("{columns} columns are not whole blocks of {}", found.ty);
            return Err(LoadError::new(found.name, problem));
        };
        let start = first_row as u64 * row_bytes;
        let matrix = if let Some(format) = own_format(found.ty) {
            Matrix::load(cpu, format, rows, columns, &|offset, bytes: &mut [u8]| {
                found.data.read_at(start + offset, bytes)?;
                self.tensors.count(bytes.len() as u64);
                check_finite(found.name, found.ty, bytes, found.element(start + offset))
            })
        } else {
            let format = stand_in(found.ty);
            let row = columns * format.block_bytes();
            Matrix::load(cpu, format, rows, columns, &|offset, bytes: &mut [u8]| {
                let first = offset / row as u64;
                let mut stored = vec![0; row_bytes as usize];
                let mut values = vec![0.0; columns];
                for (index, out) in bytes.chunks_exact_mut(row).enumerate() {
                    let place = start + (first + index as u64) * row_bytes;
                    found.data.read_at(place, &mut stored)?;
                    check_finite(found.name, found.ty, &stored, found.element(place))?;
                    dequantize(found.ty, &stored, &mut values)?;
                    encode(format, &values, out);
                    self.tensors.count(row_bytes);
                }
                Ok(())
            })
        };
        let matrix = matrix.map_err(|error| match error {
            PackError::Read(error) => error,
            PackError::Shape(error) => LoadError::caused(found.name, "the tensor is not a matrix", error),
        })?;
        self.hold(matrix.bytes());
        Ok(matrix)
    }

    /// Packs rows of numbers.
    pub(super) fn pack(
        &self,
        name: &str,
        values: &[f32],
        [rows, columns]: [usize; 2],
    ) -> Result<Matrix, LoadError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let matrix = Matrix::pack(self.cpu, Format::F32, rows, columns, &bytes)
            .map_err(|error| LoadError::caused(name, "the tensor is not a matrix", error))?;
        self.hold(matrix.bytes());
        Ok(matrix)
    }

    /// A matrix with its bias and scale, `X.weight`, `X.bias` and `X.scale`.
    pub(super) fn linear(&self, name: &str, shape: [usize; 2], scale: Scale) -> Result<Linear, LoadError> {
        let [linear] = self.linears(name, [shape[0]], shape[1], scale)?;
        Ok(linear)
    }

    /// Matrices that lie one above the other in one tensor, with their biases and scale.
    pub(super) fn linears<const N: usize>(
        &self,
        name: &str,
        rows: [usize; N],
        columns: usize,
        scale: Scale,
    ) -> Result<[Linear; N], LoadError> {
        let companions = self.companions(name, rows.iter().sum(), scale)?;
        self.parts(name, rows, columns, &companions)
    }

    /// Matrices that lie one above the other in one tensor.
    pub(super) fn parts<const N: usize>(
        &self,
        name: &str,
        rows: [usize; N],
        columns: usize,
        companions: &Companions,
    ) -> Result<[Linear; N], LoadError> {
        let weight = format!("{name}.weight");
        self.tensors.expect_shape(&weight, &[rows.iter().sum(), columns])?;
        let found = self.find(&weight)?;
        let mut first = 0;
        let mut parts = Vec::with_capacity(N);
        for rows in rows {
            let matrix = self.matrix(self.cpu, &found, first, [rows, columns])?;
            parts.push(Linear::new(matrix, companions.part(first..first + rows)));
            first += rows;
        }
        Ok(parts.try_into().unwrap_or_else(|_| unreachable!("there is a part for each number of rows")))
    }

    /// The bias and the scale of a matrix.
    pub(super) fn companions(&self, name: &str, rows: usize, scale: Scale) -> Result<Companions, LoadError> {
        let needed = self.tensors.get(&format!("{name}.weight"))?.ty == Ok(TensorType::NVFP4);
        let scale_counts = scale != Scale::IfNeeded || needed;
        let factor = if scale_counts { self.tensors.vector(&format!("{name}.scale"), 1)? } else { None };
        Ok(Companions {
            bias: self.vector(&format!("{name}.bias"), rows)?,
            scale: factor.map(|factor| factor[0]),
            scales_bias: scale != Scale::BeforeBias,
        })
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

/// The format under which kernels compute with a type.
pub(in super::super) fn own_format(ty: TensorType) -> Option<Format> {
    Some(match ty {
        TensorType::F32 => Format::F32,
        TensorType::F16 => Format::F16,
        TensorType::BF16 => Format::Bf16,
        TensorType::Q4_0 => Format::Q4_0,
        TensorType::Q4_1 => Format::Q4_1,
        TensorType::Q5_0 => Format::Q5_0,
        TensorType::Q5_1 => Format::Q5_1,
        TensorType::Q8_0 => Format::Q8_0,
        TensorType::Q2_K => Format::Q2K,
        TensorType::Q3_K => Format::Q3K,
        TensorType::Q4_K => Format::Q4K,
        TensorType::Q5_K => Format::Q5K,
        TensorType::Q6_K => Format::Q6K,
        TensorType::IQ4_NL => Format::Iq4Nl,
        TensorType::IQ4_XS => Format::Iq4Xs,
        TensorType::MXFP4 => Format::Mxfp4,
        _ => return None,
    })
}

/// What a type without kernels becomes: the smallest format that holds every one of its values exactly.
fn stand_in(ty: TensorType) -> Format {
    match ty {
        // ±d and 0 are halves as d is; the codes of NVFP4 times their scales have at most six significant bits.
        TensorType::I8 | TensorType::Q1_0 | TensorType::TQ1_0 | TensorType::TQ2_0 | TensorType::NVFP4 => {
            Format::F16
        }
        _ => Format::F32,
    }
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
