//! Matrices, quantized or not.

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{DType, Result, Tensor};

/// A matrix, `[out, in]`.
#[derive(Clone)]
pub(crate) enum Matrix {
    /// In one of candle's block formats (F16 and BF16 count as such on the CPU: activations are rounded, not weights).
    Blocks(Arc<QTensor>),
    /// Plain elements.
    Dense(Tensor),
}

impl Matrix {
    /// Multiplies rows: `[tokens, in]` to `[tokens, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Blocks(blocks) => x.contiguous()?.apply_op1_no_bwd(blocks.as_ref()),
            Self::Dense(weight) if weight.dtype() == x.dtype() => x.matmul(&weight.t()?),
            Self::Dense(weight) => x.to_dtype(weight.dtype())?.matmul(&weight.t()?)?.to_dtype(DType::F32),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Blocks(blocks) => blocks.shape().dims()[0],
            Self::Dense(weight) => weight.dims()[0],
        }
    }
}

/// An affine map.
pub(crate) struct Linear {
    pub(crate) matrix: Matrix,
    pub(crate) bias: Option<Tensor>,
    /// Multiplies what the matrix returns.
    pub(crate) scale: Option<f32>,
    /// Multiplies the sum with the bias.
    pub(crate) scale_after_bias: Option<f32>,
}

impl Linear {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = self.matrix.forward(x)?;
        if let Some(scale) = self.scale {
            y = (y * f64::from(scale))?;
        }
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        if let Some(scale) = self.scale_after_bias {
            y = (y * f64::from(scale))?;
        }
        Ok(y)
    }
}

/// Matrices that are multiplied by the same vectors.
pub(crate) enum Stack<const N: usize> {
    /// One above the other in one matrix.
    Joined(Linear),
    /// One each.
    Separate([Linear; N]),
}

/// The token embeddings, one row per token.
pub(crate) struct Embedding(pub(crate) Matrix);

impl Embedding {
    /// Number of tokens.
    pub(crate) fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Looks up rows: `[tokens]` to `[tokens, width]` in f32.
    pub(crate) fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Matrix::Blocks(blocks) => blocks.embedding(tokens),
            Matrix::Dense(rows) => rows.index_select(tokens, 0)?.to_dtype(DType::F32),
        }
    }
}
