//! The loss.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::exp::exp;
use super::{floats, with_floats};

/// Maps rows of logits to one number: the sum over rows of -ln p(target), times `weight`.
pub(crate) struct CrossEntropy {
    targets: Vec<u32>,
    weight: f32,
    /// The gradient, kept from the forward pass to the backward pass.
    gradient: Mutex<Vec<f32>>,
}

impl CrossEntropy {
    /// Expects one target for each row of logits.
    pub(crate) fn new(targets: Vec<u32>, weight: f32) -> Self {
        Self { targets, weight, gradient: Mutex::default() }
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        if rows != self.targets.len() {
            candle_core::bail!("{rows} rows of logits for {} targets", self.targets.len())
        }
        let logits = floats(logits, layout)?;
        let mut gradient = vec![0f32; logits.len()];
        let mut loss = 0f64;
        let pairs = logits.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        for ((logits, gradient), &target) in pairs.zip(&self.targets) {
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (out, logit) in gradient.iter_mut().zip(logits) {
                *out = exp(logit - highest);
            }
            let sum: f32 = gradient.iter().sum();
            let scale = self.weight / sum;
            for out in gradient.iter_mut() {
                *out *= scale;
            }
            gradient[target as usize] -= self.weight;
            loss += f64::from(highest + sum.ln() - logits[target as usize]);
        }
        *self.gradient.lock().expect("no thread panics while it holds this lock") = gradient;
        Ok((CpuStorage::F32(vec![loss as f32 * self.weight]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient =
            std::mem::take(&mut *self.gradient.lock().expect("no thread panics while it holds this lock"));
        let outer = with_floats(grad, |grad| grad[0])?;
        for value in &mut gradient {
            *value *= outer;
        }
        Ok(Some(Tensor::from_vec(gradient, logits.shape(), logits.device())?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::check_gradient;
    use super::*;

    #[test]
    fn the_gradient_matches_the_slope() -> Result<()> {
        let logits = Tensor::new(&[[0.5f32, -1.0, 2.0], [1.5, 0.2, -0.7]], &Device::Cpu)?;
        check_gradient(&Var::from_tensor(&logits)?, |x| x.apply_op1(CrossEntropy::new(vec![2, 1], 0.5)))
    }

    #[test]
    fn a_sure_and_right_answer_costs_nothing() -> Result<()> {
        let logits = Tensor::new(&[[0f32, 50.0]], &Device::Cpu)?;
        let loss = logits.apply_op1(CrossEntropy::new(vec![1], 1.0))?.to_scalar::<f32>()?;
        assert!(loss.abs() < 1e-6);
        Ok(())
    }
}
