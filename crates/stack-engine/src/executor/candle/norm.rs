//! `RMSNorm` (arXiv:1910.07467) and `LayerNorm` (arXiv:1607.06450).

use candle_core::{D, Result, Tensor};

use crate::spec::{Norm, NormKind};

/// A norm with its weights.
pub(crate) struct NormLayer {
    norm: Norm,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

impl NormLayer {
    pub(crate) fn new(norm: Norm, weight: Option<Tensor>, bias: Option<Tensor>) -> Self {
        Self { norm, weight, bias }
    }

    /// Normalizes the last dimension. The weight may have further dimensions, which then match those before the last.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let (NormKind::Rms, Some(weight), None) = (self.norm.kind, &self.weight, &self.bias)
            && weight.rank() == 1
        {
            return candle_nn::ops::rms_norm(&x.contiguous()?, weight, self.norm.epsilon);
        }
        let centred = match self.norm.kind {
            NormKind::Rms => x.clone(),
            NormKind::Layer => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        };
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let mut y = centred.broadcast_div(&(variance + f64::from(self.norm.epsilon))?.sqrt()?)?;
        if let Some(weight) = &self.weight {
            y = y.broadcast_mul(weight)?;
        }
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        Ok(y)
    }
}
