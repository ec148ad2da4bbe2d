//! Non-linearities of feed-forward networks.

use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::spec::{Activation, Xielu};

impl Activation {
    /// Applies the non-linearity alone.
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu | Self::ClampedSwiglu => x.silu(),
            Self::Gelu => x.gelu(),
            Self::Relu => x.relu(),
            Self::ReluSquared => x.relu()?.sqr(),
            Self::Xielu(xielu) => xielu.apply(x),
        }
    }

    /// Applies it to a gate and multiplies by the up projection.
    pub(super) fn gate(self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::ClampedSwiglu => {
                let gate = gate.minimum(CLAMP)?;
                let up = up.clamp(-CLAMP, CLAMP)?;
                let swish = (&gate * candle_nn::ops::sigmoid(&(&gate * ALPHA)?)?)?;
                swish * (up + 1.0)?
            }
            _ => self.apply(gate)? * up,
        }
    }

    /// Applies it to a gate and an up projection that lie side by side in the last dimension.
    pub(super) fn gate_halves(self, both: &Tensor) -> Result<Tensor> {
        // One pass over memory; candle's own product of two halves walks them element by element.
        if self == Self::Silu && both.device().is_cpu() && both.dtype() == DType::F32 {
            return both.contiguous()?.apply_op1_no_bwd(&SiluHalves);
        }
        let width = both.dim(D::Minus1)? / 2;
        let gate = both.narrow(D::Minus1, 0, width)?;
        let up = both.narrow(D::Minus1, width, width)?;
        self.gate(&gate, &up)
    }
}

impl Xielu {
    /// α₊ x² + β x above zero, α₋ (e^min(x, ε) − 1 − x) + β x below.
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        let above = (x.sqr()? * f64::from(self.positive))?;
        let below = ((x.minimum(f64::from(self.epsilon))?.exp()? - 1.0)? - x)? * f64::from(self.negative);
        x.gt(0.0)?.where_cond(&above, &below?)? + (x * f64::from(self.beta))?
    }
}

/// `silu(x[..n]) · x[n..]` for each row of 2n elements.
struct SiluHalves;

impl CustomOp1 for SiluHalves {
    fn name(&self) -> &'static str {
        "silu-halves"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut dims = layout.dims().to_vec();
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("silu-halves needs contiguous rows");
        };
        let Some(columns) = dims.pop().filter(|&columns| columns > 0 && columns.is_multiple_of(2)) else {
            candle_core::bail!("silu-halves needs rows of an even length");
        };
        let width = columns / 2;
        dims.push(width);
        let rows = &storage.as_slice::<f32>()?[start..end];
        let mut output = vec![0f32; rows.len() / 2];
        output.par_chunks_mut(width).zip(rows.par_chunks(columns)).for_each(|(output, row)| {
            let (gates, ups) = row.split_at(width);
            for ((output, &gate), &up) in output.iter_mut().zip(gates).zip(ups) {
                *output = gate / (1.0 + (-gate).exp()) * up;
            }
        });
        Ok((CpuStorage::F32(output), Shape::from(dims)))
    }
}

/// gpt-oss's slope of the logistic function and bound of its arguments.
const ALPHA: f64 = 1.702;
const CLAMP: f64 = 7.0;

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn xielu_is_quadratic_above_zero_and_exponential_below() -> Result<()> {
        let xielu = Xielu { positive: 2.0, negative: 3.0, beta: 0.5, epsilon: -1e-6 };
        let found = xielu.apply(&Tensor::new(&[2.0f32, -1.0], &Device::Cpu)?)?.to_vec1::<f32>()?;
        let below = 3.0 * ((-1.0f32).exp() - 1.0 + 1.0) - 0.5;
        assert!((found[0] - 9.0).abs() < 1e-5 && (found[1] - below).abs() < 1e-5, "{found:?}");
        Ok(())
    }

    #[test]
    fn one_pass_over_halves_equals_two_operations() -> Result<()> {
        let both = Tensor::randn(0f32, 3.0, (5, 14), &Device::Cpu)?;
        let (gate, up) = (both.narrow(1, 0, 7)?, both.narrow(1, 7, 7)?);
        let difference = (Activation::Silu.gate_halves(&both)? - Activation::Silu.gate(&gate, &up)?)?;
        assert!(difference.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5);
        Ok(())
    }
}
