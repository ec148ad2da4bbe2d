//! The optimizer: Muon for the matrices, Adam for embeddings and scales.
//!
//! Muon (Jordan, 2024) replaces a matrix's momentum by the nearest matrix with orthogonal rows, so that every
//! direction moves at the same speed. A narrow model learns from clearly fewer tokens that way.

use candle_core::{Device, Result, Tensor};

use crate::model::{Parameter, Role};
use crate::ops::with_floats;

/// How fast the parameters move at the peak of the schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// For matrices (Muon).
    pub(crate) matrices: f32,
    /// For embeddings and scales (Adam).
    pub(crate) rest: f32,
}

/// The parameters with what the optimizer remembers of each.
pub(crate) struct Optimizer {
    rates: Rates,
    slots: Vec<Slot>,
    steps: i32,
}

struct Slot {
    parameter: Parameter,
    /// The running mean of the gradient.
    first: Vec<f32>,
    /// The running mean of its square; empty for matrices.
    second: Vec<f32>,
}

impl Optimizer {
    /// Starts without any memory of gradients.
    pub(crate) fn new(parameters: Vec<Parameter>, rates: Rates) -> Self {
        let slot = |parameter: Parameter| {
            let count = parameter.value.elem_count();
            let adam = !matches!(parameter.role, Role::Matrix { .. });
            Slot { parameter, first: vec![0.0; count], second: vec![0.0; if adam { count } else { 0 }] }
        };
        Self { rates, slots: parameters.into_iter().map(slot).collect(), steps: 0 }
    }

    /// Moves every parameter against its gradient; `pace` (0 to 1) comes from the schedule.
    ///
    /// `gradients` has one entry for each parameter, in the order given at the start.
    pub(crate) fn step(&mut self, gradients: &[Vec<f32>], pace: f32) -> Result<()> {
        self.steps += 1;
        let norm =
            gradients.iter().flatten().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32;
        let clip = (1.0 / norm.max(1e-9)).min(1.0);
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let mut values = with_floats(slot.parameter.value.as_tensor(), <[f32]>::to_vec)?;
            match slot.parameter.role {
                Role::Matrix { blocks } => {
                    slot.muon(&mut values, gradient, blocks, self.rates.matrices * pace)?;
                }
                Role::Embedding | Role::Scale => {
                    slot.adam(&mut values, gradient, clip, self.rates.rest * pace, self.steps);
                }
            }
            let shape = slot.parameter.value.shape();
            slot.parameter.value.set(&Tensor::from_vec(values, shape, &Device::Cpu)?)?;
        }
        Ok(())
    }
}

impl Slot {
    fn adam(&mut self, values: &mut [f32], gradient: &[f32], clip: f32, rate: f32, steps: i32) {
        const BETA: (f32, f32) = (0.9, 0.98);
        let first_scale = 1.0 / (1.0 - BETA.0.powi(steps));
        let second_scale = 1.0 / (1.0 - BETA.1.powi(steps));
        for (i, value) in values.iter_mut().enumerate() {
            let gradient = gradient[i] * clip;
            self.first[i] += (1.0 - BETA.0) * (gradient - self.first[i]);
            self.second[i] += (1.0 - BETA.1) * (gradient * gradient - self.second[i]);
            *value -= rate * self.first[i] * first_scale / ((self.second[i] * second_scale).sqrt() + 1e-8);
        }
    }

    fn muon(&mut self, values: &mut [f32], gradient: &[f32], blocks: usize, rate: f32) -> Result<()> {
        const MOMENTUM: f32 = 0.95;
        const DECAY: f32 = 0.05;
        for (mean, gradient) in self.first.iter_mut().zip(gradient) {
            *mean += (1.0 - MOMENTUM) * (gradient - *mean);
        }
        // Nesterov: look one step ahead of the running mean.
        let ahead =
            self.first.iter().zip(gradient).map(|(mean, g)| g + MOMENTUM * (mean - g)).collect::<Vec<_>>();
        let (rows, columns) = self.parameter.value.dims2()?;
        let ahead = Tensor::from_vec(ahead, (rows, columns), &Device::Cpu)?;
        let width = columns / blocks;
        let turns = (0..blocks)
            .map(|block| orthogonal(&ahead.narrow(1, block * width, width)?.contiguous()?))
            .collect::<Result<Vec<_>>>()?;
        let turn = Tensor::cat(&turns, 1)?;
        let rate = rate * (width as f32 / rows as f32).max(1.0).sqrt();
        with_floats(&turn, |turn| {
            for (value, turn) in values.iter_mut().zip(turn) {
                *value -= rate * (turn + DECAY * *value);
            }
        })
    }
}

/// Brings all singular values of `matrix` close to one, by five steps of a quintic Newton-Schulz iteration.
fn orthogonal(matrix: &Tensor) -> Result<Tensor> {
    // The coefficients trade exactness (singular values end between 0.7 and 1.2) for speed.
    const A: f64 = 3.4445;
    const B: f64 = -4.7750;
    const C: f64 = 2.0315;
    let (rows, columns) = matrix.dims2()?;
    let wide = rows <= columns;
    let mut x = if wide { matrix.clone() } else { matrix.t()?.contiguous()? };
    let norm = f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt() + 1e-7;
    x = (x / norm)?;
    for _ in 0..5 {
        let gram = x.matmul(&x.t()?)?;
        let poly = ((&gram * B)? + (gram.matmul(&gram)? * C)?)?;
        x = ((&x * A)? + poly.matmul(&x)?)?;
    }
    if wide { Ok(x) } else { x.t()?.contiguous() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn orthogonal_rows_have_length_about_one_and_do_not_overlap() -> Result<()> {
        let mut random = Random::new(5);
        let values: Vec<f32> = (0..8 * 24).map(|_| random.normal()).collect();
        for shape in [(8, 24), (24, 8)] {
            let matrix = Tensor::from_vec(values.clone(), shape, &Device::Cpu)?;
            let x = orthogonal(&matrix)?;
            assert_eq!(x.dims2()?, shape);
            let x = if shape.0 > shape.1 { x.t()? } else { x };
            let gram = x.matmul(&x.t()?)?.to_vec2::<f32>()?;
            for (i, row) in gram.iter().enumerate() {
                for (j, value) in row.iter().enumerate() {
                    let expected = if i == j { 0.9 } else { 0.0 };
                    assert!((value - expected).abs() < 0.5, "{i} {j} {value}");
                }
            }
        }
        Ok(())
    }
}
