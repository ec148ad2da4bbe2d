//! Single matrices: where they lie, and what the file says beside them.

use super::tensors::{Tensors, check_finite, known_type};
use crate::weights::{LoadError, TensorData, TensorInfo, TensorType};

/// A tensor of matrices, which lie one above the other.
pub(crate) struct MatrixTensor<'a> {
    tensors: &'a Tensors<'a>,
    info: &'a TensorInfo,
    ty: TensorType,
    data: TensorData<'a>,
}

/// A matrix: some rows of a tensor, and what the file says beside them.
pub(crate) struct Part<'t> {
    pub(crate) tensor: &'t MatrixTensor<'t>,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) companions: Companions,
    /// Rows that are rotated; the others are none of these.
    pub(crate) heads: Vec<AdjacentHeads>,
}

/// What a file may say about a matrix beside its elements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Companions {
    /// One number for each row.
    pub(crate) bias: Option<Vec<f32>>,
    /// One number for all of it.
    pub(crate) scale: Option<f32>,
    /// Whether the scale multiplies the bias, too.
    pub(crate) scales_bias: bool,
}

/// What a tensor `X.scale` beside a matrix `X.weight` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScaleRule {
    /// Whether it counts for every type, and not only for those that need one.
    pub(crate) always: bool,
    /// Whether it multiplies the sum with the bias, and not only what the matrix returns.
    pub(crate) scales_bias: bool,
}

/// Heads of which neighbouring dimensions are rotated together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdjacentHeads {
    /// The first row of the first head.
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// Rows of each.
    pub(crate) length: usize,
    /// The first of them that is rotated.
    pub(crate) offset: usize,
    /// How many are.
    pub(crate) rotated: usize,
}

impl ScaleRule {
    pub(crate) const BEFORE_BIAS: Self = Self { always: true, scales_bias: false };
}

impl<'a> MatrixTensor<'a> {
    pub(crate) fn name(&self) -> &'a str {
        &self.info.name
    }

    pub(crate) fn ty(&self) -> TensorType {
        self.ty
    }

    /// Outermost first.
    pub(crate) fn shape(&self) -> &'a [usize] {
        &self.info.shape
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self, columns: usize) -> Result<u64, LoadError> {
        self.ty.bytes_for(columns as u64).ok_or_else(|| {
            LoadError::new(self.name(), format!("{columns} columns are not whole blocks of {}", self.ty))
        })
    }

    /// Fills `bytes` with what is stored from byte `start` on, where a block begins, and refuses numbers that are none.
    pub(crate) fn read_at(&self, start: u64, bytes: &mut [u8]) -> Result<(), LoadError> {
        self.data.read_at(start, bytes)?;
        self.tensors.count(bytes.len() as u64);
        let element = start as usize / self.ty.block_bytes() * self.ty.block_elements();
        check_finite(self.name(), self.ty, bytes, element)
    }

    /// All of its elements.
    pub(crate) fn floats(&self) -> Result<Vec<f32>, LoadError> {
        self.tensors.floats(self.name())
    }
}

impl<'t> Part<'t> {
    /// The first rows of a tensor, alone.
    pub(crate) fn new(tensor: &'t MatrixTensor<'t>, rows: usize, columns: usize) -> Self {
        Self { tensor, first_row: 0, rows, columns, companions: Companions::default(), heads: Vec::new() }
    }

    /// Some of its rows.
    pub(crate) fn rows(&self, first: usize, rows: usize) -> Self {
        let Companions { bias, scale, scales_bias } = &self.companions;
        let bias = bias.as_ref().map(|bias| bias[first..first + rows].to_vec());
        Self {
            tensor: self.tensor,
            first_row: self.first_row + first,
            rows,
            columns: self.columns,
            companions: Companions { bias, scale: *scale, scales_bias: *scales_bias },
            heads: Vec::new(),
        }
    }
}

impl Tensors<'_> {
    /// Finds a tensor of matrices.
    pub(crate) fn matrices(&self, name: &str) -> Result<MatrixTensor<'_>, LoadError> {
        let info = self.get(name)?;
        let ty = known_type(info)?;
        self.claim(name);
        Ok(MatrixTensor { tensors: self, info, ty, data: self.source().data(name)? })
    }

    /// Finds the tensor of the matrix `X`, which must have this shape.
    pub(crate) fn shaped_matrix(&self, name: &str, shape: [usize; 2]) -> Result<MatrixTensor<'_>, LoadError> {
        let weight = format!("{name}.weight");
        self.expect_shape(&weight, &shape)?;
        self.matrices(&weight)
    }

    /// The bias and the scale of the matrix `X`.
    pub(crate) fn companions(
        &self,
        name: &str,
        rows: usize,
        scale: ScaleRule,
    ) -> Result<Companions, LoadError> {
        let counts = scale.always || self.get(&format!("{name}.weight"))?.ty == Ok(TensorType::NVFP4);
        let factor = if counts { self.vector(&format!("{name}.scale"), 1)? } else { None };
        Ok(Companions {
            bias: self.vector(&format!("{name}.bias"), rows)?,
            scale: factor.map(|factor| factor[0]),
            scales_bias: scale.scales_bias,
        })
    }
}
