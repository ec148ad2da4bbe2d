//! Rounds activations as the weights' format asks.

use crate::activations::{Activations, Held, Rounded32, Rounded256};
use crate::cpu::Cpu;
use crate::format::Input;
use crate::level::Level;
use crate::scalar;
use crate::tile::TILE;
#[cfg(target_arch = "x86_64")]
use crate::x86::avx512::Avx512;

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
        let level = self.level();
        match &mut into.held {
            Held::Float(held) => held.copy_from_slice(x),
            Held::Block32(held) => self.pool().for_chunks(held, chunk, &|task, held| {
                each(task * chunk, rows, cols, x, held, |x, out| round_32(level, x, out));
            }),
            Held::Block256(held) => self.pool().for_chunks(held, chunk, &|task, held| {
                each(task * chunk, rows, cols, x, held, |x, out| round_256(level, x, out));
            }),
        }
    }
}

fn round_256(level: Level, x: &[f32; TILE], out: &mut Rounded256) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernels) = Avx512::new(level) {
        return kernels.round_256(x, out);
    }
    let _ = level;
    scalar::round_256(x, out);
}

fn round_32(level: Level, x: &[f32; TILE], out: &mut Rounded32) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernels) = Avx512::new(level) {
        return kernels.round_32(x, out);
    }
    let _ = level;
    scalar::round_32(x, out);
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
