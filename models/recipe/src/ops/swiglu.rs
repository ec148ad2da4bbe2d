//! The gate of the feed-forward block.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::exp::exp;
use super::{floats, with_floats};

/// Maps rows [gate, up] of width 2n to rows silu(gate) · up of width n.
pub(crate) struct SwiGlu;

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, double) = layout.shape().dims2()?;
        let width = double / 2;
        let mut out = vec![0f32; rows * width];
        for (x, out) in floats(x, layout)?.chunks_exact(double).zip(out.chunks_exact_mut(width)) {
            let (gate, up) = x.split_at(width);
            for ((out, &gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate * sigmoid(gate) * up;
            }
        }
        Ok((CpuStorage::F32(out), (rows, width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, double) = x.dims2()?;
        let width = double / 2;
        let mut grad_x = vec![0f32; rows * double];
        let grad = grad.contiguous()?;
        with_floats(x, |x| {
            with_floats(&grad, |grad| {
                let rows = x.chunks_exact(double).zip(grad.chunks_exact(width));
                for ((x, grad), out) in rows.zip(grad_x.chunks_exact_mut(double)) {
                    let (gate, up) = x.split_at(width);
                    let (grad_gate, grad_up) = out.split_at_mut(width);
                    for i in 0..width {
                        let open = sigmoid(gate[i]);
                        let silu = gate[i] * open;
                        grad_up[i] = grad[i] * silu;
                        grad_gate[i] = grad[i] * up[i] * (open + silu * (1.0 - open));
                    }
                }
            })
        })??;
        Ok(Some(Tensor::from_vec(grad_x, x.shape(), x.device())?))
    }
}

#[inline]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::check_gradient;
    use super::*;

    #[test]
    fn the_gradient_matches_the_slope() -> Result<()> {
        let x = Tensor::new(&[[0.5f32, -1.0, 2.0, 0.3], [-3.0, 0.2, -0.7, 1.0]], &Device::Cpu)?;
        check_gradient(&Var::from_tensor(&x)?, |x| x.apply_op1(SwiGlu))
    }
}
