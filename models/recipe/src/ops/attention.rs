//! Causal self-attention with rotary positions, from the joint projection to the joined heads.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::exp::exp;
use super::{floats, with_floats};

/// Cosines and sines of the rotary angles, one row per position.
///
/// Pairs are neighbours (2i, 2i + 1), as the `llama` architecture of GGUF files expects.
pub(crate) struct Rotary {
    half: usize,
    turns: Vec<(f32, f32)>,
}

/// Maps rows [query, key, value] to rows of attention output; rows are (sequence, position), position fastest.
///
/// Sequences are padded at their end: a causal mask already keeps padding out of every real position.
pub(crate) struct Attention {
    sequences: usize,
    heads: usize,
    rotary: Arc<Rotary>,
    saved: Mutex<Option<Saved>>,
}

/// What the backward pass needs from the forward pass, each as (sequence · head, position, …).
struct Saved {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weights: Tensor,
}

/// Sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    sequences: usize,
    positions: usize,
    heads: usize,
    width: usize,
}

impl Rotary {
    /// Computes the angles for heads of `head` numbers and up to `positions` positions.
    pub(crate) fn new(head: usize, positions: usize, base: f32) -> Self {
        let half = head / 2;
        let turns = (0..positions)
            .flat_map(|position| {
                (0..half).map(move |i| {
                    let angle = position as f32 * base.powf(-(i as f32) / half as f32);
                    (angle.cos(), angle.sin())
                })
            })
            .collect();
        Self { half, turns }
    }

    /// Turns one head's numbers forward by `position` steps.
    pub(crate) fn turn(&self, position: usize, head: &mut [f32]) {
        self.rotate(position, 1.0, head);
    }

    fn rotate(&self, position: usize, direction: f32, head: &mut [f32]) {
        let turns = &self.turns[position * self.half..][..self.half];
        for (pair, &(cos, sin)) in head.chunks_exact_mut(2).zip(turns) {
            let sin = sin * direction;
            (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos);
        }
    }
}

impl Attention {
    /// Attends within each of `sequences` equally long sequences.
    pub(crate) fn new(sequences: usize, heads: usize, rotary: Arc<Rotary>) -> Self {
        Self { sequences, heads, rotary, saved: Mutex::default() }
    }

    fn sizes(&self, shape: &Shape) -> Result<Sizes> {
        let (rows, columns) = shape.dims2()?;
        let positions = rows / self.sequences;
        Ok(Sizes { sequences: self.sequences, positions, heads: self.heads, width: columns / 3 / self.heads })
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, joint: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(layout.shape())?;
        let joint = floats(joint, layout)?;
        let scale = 1.0 / (sizes.width as f32).sqrt();
        let columns = 3 * sizes.heads * sizes.width;
        let query = sizes.split(joint, columns, 0, |position, head| {
            self.rotary.rotate(position, 1.0, head);
            multiply(head, scale);
        })?;
        let key = sizes.split(joint, columns, 1, |position, head| self.rotary.rotate(position, 1.0, head))?;
        let value = sizes.split(joint, columns, 2, |_, _| ())?;
        let scores = query.matmul(&key.t()?)?;
        let weights = with_floats(&scores, |scores| causal_softmax(scores, sizes.positions))?;
        let weights = Tensor::from_vec(weights, scores.shape(), &Device::Cpu)?;
        let output = weights.matmul(&value)?;
        let columns = sizes.heads * sizes.width;
        let mut joined = vec![0f32; sizes.sequences * sizes.positions * columns];
        sizes.join(&output, &mut joined, columns, 0, |_, _| ())?;
        *self.saved.lock().expect("no thread panics while it holds this lock") =
            Some(Saved { query, key, value, weights });
        Ok((CpuStorage::F32(joined), (sizes.sequences * sizes.positions, columns).into()))
    }

    fn bwd(&self, joint: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let saved = self.saved.lock().expect("no thread panics while it holds this lock").take();
        let Some(Saved { query, key, value, weights }) = saved else {
            candle_core::bail!("attention went backward before it went forward")
        };
        let sizes = self.sizes(joint.shape())?;
        let columns = sizes.heads * sizes.width;
        let grad = with_floats(&grad.contiguous()?, |grad| sizes.split(grad, columns, 0, |_, _| ()))??;
        let grad_value = weights.t()?.matmul(&grad)?;
        let grad_weights = grad.matmul(&value.t()?)?;
        let grad_scores = with_floats(&weights, |weights| {
            with_floats(&grad_weights, |grad| softmax_gradient(weights, grad, sizes.positions))
        })??;
        let grad_scores = Tensor::from_vec(grad_scores, weights.shape(), &Device::Cpu)?;
        let grad_query = grad_scores.matmul(&key)?;
        let grad_key = grad_scores.t()?.matmul(&query)?;
        let scale = 1.0 / (sizes.width as f32).sqrt();
        let mut joined = vec![0f32; joint.elem_count()];
        sizes.join(&grad_query, &mut joined, 3 * columns, 0, |position, head| {
            self.rotary.rotate(position, -1.0, head);
            multiply(head, scale);
        })?;
        sizes.join(&grad_key, &mut joined, 3 * columns, 1, |position, head| {
            self.rotary.rotate(position, -1.0, head);
        })?;
        sizes.join(&grad_value, &mut joined, 3 * columns, 2, |_, _| ())?;
        Ok(Some(Tensor::from_vec(joined, joint.shape(), &Device::Cpu)?))
    }
}

impl Sizes {
    /// Takes the `part`-th group of heads out of rows of `columns` numbers and changes each head by `change`.
    fn split(
        self,
        rows: &[f32],
        columns: usize,
        part: usize,
        change: impl Fn(usize, &mut [f32]),
    ) -> Result<Tensor> {
        let mut out = vec![0f32; self.sequences * self.positions * self.heads * self.width];
        for (index, head) in out.chunks_exact_mut(self.width).enumerate() {
            let start = self.place(index, columns, part);
            head.copy_from_slice(&rows[start..start + self.width]);
            change(index % self.positions, head);
        }
        Tensor::from_vec(out, (self.sequences * self.heads, self.positions, self.width), &Device::Cpu)
    }

    /// Undoes `split`: changes each head and puts it back into its rows.
    fn join(
        self,
        heads: &Tensor,
        rows: &mut [f32],
        columns: usize,
        part: usize,
        change: impl Fn(usize, &mut [f32]),
    ) -> Result<()> {
        with_floats(heads, |heads| {
            for (index, head) in heads.chunks_exact(self.width).enumerate() {
                let start = self.place(index, columns, part);
                let row = &mut rows[start..start + self.width];
                row.copy_from_slice(head);
                change(index % self.positions, row);
            }
        })
    }

    /// Says where in the rows the `index`-th (sequence, head, position) begins.
    fn place(self, index: usize, columns: usize, part: usize) -> usize {
        let (sequence_head, position) = (index / self.positions, index % self.positions);
        let (sequence, head) = (sequence_head / self.heads, sequence_head % self.heads);
        (sequence * self.positions + position) * columns + (part * self.heads + head) * self.width
    }
}

/// Normalises each row over the positions that it may see; the others get zero.
fn causal_softmax(scores: &[f32], positions: usize) -> Vec<f32> {
    let mut weights = vec![0f32; scores.len()];
    let rows = scores.chunks_exact(positions).zip(weights.chunks_exact_mut(positions));
    for (index, (scores, weights)) in rows.enumerate() {
        let seen = index % positions + 1;
        let (scores, weights) = (&scores[..seen], &mut weights[..seen]);
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (weight, score) in weights.iter_mut().zip(scores) {
            *weight = exp(score - highest);
        }
        let scale = 1.0 / weights.iter().sum::<f32>();
        multiply(weights, scale);
    }
    weights
}

fn multiply(numbers: &mut [f32], factor: f32) {
    for number in numbers {
        *number *= factor;
    }
}

fn softmax_gradient(weights: &[f32], grad: &[f32], positions: usize) -> Vec<f32> {
    let mut out = vec![0f32; weights.len()];
    let rows = weights.chunks_exact(positions).zip(grad.chunks_exact(positions));
    for (index, ((weights, grad), out)) in rows.zip(out.chunks_exact_mut(positions)).enumerate() {
        let seen = index % positions + 1;
        let (weights, grad) = (&weights[..seen], &grad[..seen]);
        let mean: f32 = weights.iter().zip(grad).map(|(w, g)| w * g).sum();
        for ((out, weight), grad) in out.iter_mut().zip(weights).zip(grad) {
            *out = weight * (grad - mean);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::super::check_gradient;
    use super::*;
    use crate::random::Random;

    fn joint(rows: usize, columns: usize) -> Result<Var> {
        let mut random = Random::new(3);
        let values: Vec<f32> = (0..rows * columns).map(|_| random.normal() * 0.7).collect();
        Var::from_tensor(&Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
    }

    #[test]
    fn the_gradient_matches_the_slope() -> Result<()> {
        let rotary = Arc::new(Rotary::new(4, 3, 10_000.0));
        check_gradient(&joint(6, 24)?, |x| x.apply_op1(Attention::new(2, 2, rotary.clone())))
    }

    #[test]
    fn a_position_sees_nothing_after_it() -> Result<()> {
        let rotary = Arc::new(Rotary::new(4, 5, 10_000.0));
        let long = joint(5, 12)?;
        let short = long.narrow(0, 0, 3)?;
        let long = long.as_tensor().apply_op1(Attention::new(1, 1, rotary.clone()))?;
        let short = short.apply_op1(Attention::new(1, 1, rotary))?;
        let difference = (long.narrow(0, 0, 3)? - short)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-6);
        Ok(())
    }
}
