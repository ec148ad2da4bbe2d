//! Rounds activations as the weights' format asks.

use crate::activations::{Activations, Held};
use crate::cpu::Cpu;
use crate::dispatch::with_kernels;
use crate::format::Input;
use crate::multiply::Kernels;
use crate::tile::TILE;

impl Cpu {
    /// Rounds rows of `cols` activations for the formats that take this input.
    ///
    /// # Panics
    ///
    /// When `x` is not made of whole rows or `cols` is no multiple of the input's block.
    pub fn quantize(&self, input: Input, x: &[f32], cols: usize, into: &mut Activations) {
        assert!(cols > 0 && x.len().is_multiple_of(cols), "{} numbers are not rows of {cols}", x.len());
        let rows = x.len() / cols;
        into.shape(input, rows, cols);
        if rows == 0 {
            return;
        }
        // The chunk of a task: some tiles of all rows.
        let chunk = (ELEMENTS_PER_TASK / (TILE * rows)).max(1) * rows;
        with_kernels!(self.level(), kernels => match &mut into.held {
            Held::Float(held) => held.fill(x),
            Held::Block32(held) => self.pool().for_chunks(held, chunk, &|task, held| {
                each(task * chunk, rows, cols, x, held, |x, out| kernels.round_32(x, out));
            }),
            Held::Block256(held) => self.pool().for_chunks(held, chunk, &|task, held| {
                each(task * chunk, rows, cols, x, held, |x, out| kernels.round_256(x, out));
            }),
        });
    }
}

/// Rounds the tiles from number `first` on, counted \[tile]\[row]; one that is not whole has zeros at its end.
fn each<T>(
    first: usize,
    rows: usize,
    cols: usize,
    x: &[f32],
    held: &mut [T],
    round: impl Fn(&[f32; TILE], &mut T),
) {
    for (index, out) in held.iter_mut().enumerate() {
        let (tile, row) = ((first + index) / rows, (first + index) % rows);
        let x = &x[row * cols + tile * TILE..(row + 1) * cols];
        if let Some(x) = x.first_chunk() {
            round(x, out);
        } else {
            let mut padded = [0.0; TILE];
            padded[..x.len()].copy_from_slice(x);
            round(&padded, out);
        }
    }
}

/// Work that is worth handing to another thread: some microseconds.
const ELEMENTS_PER_TASK: usize = 1 << 14;
