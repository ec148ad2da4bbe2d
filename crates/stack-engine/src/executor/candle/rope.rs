//! Cosines and sines for the positions of one batch.
//!
//! Weights are permuted at load so that every rotation pairs `i` with `i + r/2` (see `load/matrices.rs`); one kernel serves all.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

/// Angles per position and the magnitude of one rotation; layers with the same rotation share it.
#[derive(Debug, PartialEq)]
pub(super) struct Rope {
    /// Angle per position of each pair.
    pub(super) frequencies: Vec<f32>,
    /// Multiplies the rotated vectors.
    pub(super) magnitude: f32,
}

/// The cosines and sines of every rotation that a model uses, for the positions of one batch.
pub(super) struct Rotations {
    tables: Vec<(Arc<Rope>, Table)>,
}

/// Cosines and sines, `[tokens, pairs]` each.
pub(super) struct Table {
    cos: Tensor,
    sin: Tensor,
}

impl Rotations {
    pub(super) fn new<'a>(
        ropes: impl Iterator<Item = &'a Arc<Rope>>,
        positions: &[u32],
        device: &Device,
    ) -> Result<Self> {
        let mut tables: Vec<(Arc<Rope>, Table)> = Vec::new();
        for rope in ropes {
            if !tables.iter().any(|(known, _)| Arc::ptr_eq(known, rope)) {
                tables.push((Arc::clone(rope), Table::new(rope, positions, device)?));
            }
        }
        Ok(Self { tables })
    }

    pub(super) fn table(&self, rope: &Arc<Rope>) -> Result<&Table> {
        match self.tables.iter().find(|(known, _)| Arc::ptr_eq(known, rope)) {
            Some((_, table)) => Ok(table),
            None => candle_core::bail!("a layer uses a rotation that the model does not list"),
        }
    }
}

impl Table {
    fn new(rope: &Rope, positions: &[u32], device: &Device) -> Result<Self> {
        let pairs = rope.frequencies.len();
        let angles = positions.iter().flat_map(|&position| {
            // In f64: at position 100 000 an f32 angle is off by up to 0.004 radians.
            rope.frequencies.iter().map(move |&frequency| f64::from(position) * f64::from(frequency))
        });
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles
            .map(|angle| (angle.cos() as f32 * rope.magnitude, angle.sin() as f32 * rope.magnitude))
            .unzip();
        let shape = (positions.len(), pairs);
        Ok(Self { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
    }

    /// Rotates the first `2 · pairs` dimensions of each head of `x`, `[tokens, heads, length]`.
    pub(super) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let rotated = self.cos.dim(1)? * 2;
        let length = x.dim(2)?;
        if rotated == length {
            return self.rotate_whole(x);
        }
        let head = self.rotate_whole(&x.narrow(2, 0, rotated)?)?;
        Tensor::cat(&[&head, &x.narrow(2, rotated, length - rotated)?], 2)
    }

    fn rotate_whole(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::rotary_emb::rope_thd(&x.unsqueeze(0)?.contiguous()?, &self.cos, &self.sin)?.squeeze(0)
    }
}
