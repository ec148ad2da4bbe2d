//! Root-mean-square normalisation.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::{floats, with_floats};

/// What is added to the mean square before its root is taken.
pub(crate) const EPSILON: f32 = 1e-5;

/// Maps rows x to x / rms(x) · w.
pub(crate) struct RmsNorm;

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, lx)?, floats(w, lw)?);
        let mut out = vec![0f32; x.len()];
        for (x, out) in x.chunks_exact(w.len()).zip(out.chunks_exact_mut(w.len())) {
            let scale = inverse_rms(x);
            for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
                *out = x * scale * w;
            }
        }
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = w.elem_count();
        let mut grad_x = vec![0f32; x.elem_count()];
        let mut grad_w = vec![0f32; width];
        let grad = grad.contiguous()?;
        with_floats(x, |x| {
            with_floats(w, |w| {
                with_floats(&grad, |grad| {
                    let rows = x.chunks_exact(width).zip(grad.chunks_exact(width));
                    for ((x, grad), out) in rows.zip(grad_x.chunks_exact_mut(width)) {
                        let scale = inverse_rms(x);
                        let mut along = 0.0;
                        for i in 0..width {
                            out[i] = grad[i] * w[i];
                            grad_w[i] += grad[i] * x[i] * scale;
                        }
                        for i in 0..width {
                            along += out[i] * x[i];
                        }
                        let along = along * scale * scale / width as f32;
                        for i in 0..width {
                            out[i] = (out[i] - x[i] * along) * scale;
                        }
                    }
                })
            })
        })???;
        let grad_x = Tensor::from_vec(grad_x, x.shape(), x.device())?;
        let grad_w = Tensor::from_vec(grad_w, w.shape(), w.device())?;
        Ok((Some(grad_x), Some(grad_w)))
    }
}

fn inverse_rms(row: &[f32]) -> f32 {
    let square: f32 = row.iter().map(|x| x * x).sum();
    1.0 / (square / row.len() as f32 + EPSILON).sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::check_gradient;
    use super::*;

    #[test]
    fn both_gradients_match_the_slope() -> Result<()> {
        let x = Var::from_tensor(&Tensor::new(
            &[[0.5f32, -1.0, 2.0, 0.3], [1.5, 0.2, -0.7, 1.0]],
            &Device::Cpu,
        )?)?;
        let w = Var::from_tensor(&Tensor::new(&[1.0f32, 0.5, -0.3, 2.0], &Device::Cpu)?)?;
        check_gradient(&x, |x| x.apply_op2(w.as_tensor(), RmsNorm))?;
        check_gradient(&w, |w| x.as_tensor().apply_op2(w, RmsNorm))
    }
}
