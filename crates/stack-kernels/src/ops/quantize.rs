//! Rounds activations as the weights' format asks.

use crate::activations::{Activations, Storage};
use crate::cpu::Cpu;
use crate::disjoint::Disjoint;
use crate::dispatch::with_kernels;
use crate::format::Input;
use crate::kernels::Kernels;
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
        with_kernels!(self.level(), kernels => match &mut into.storage {
            Storage::Float(rows) => rows.fill(x, self.pool()),
            Storage::Q8_0(blocks) => self.round(x, cols, blocks, |x, out| kernels.quantize_q8_0(x, out)),
            Storage::Q8K(blocks) => self.round(x, cols, blocks, |x, out| kernels.quantize_q8_k(x, out)),
        });
    }

    /// Rounds the tiles of all rows, which are held \[tile]\[row]; one that is not whole has zeros at its end.
    ///
    /// A task reads what lies together, some tiles of one row or some rows.
    fn round<T: Send>(
        &self,
        x: &[f32],
        cols: usize,
        blocks: &mut [T],
        round: impl Fn(&[f32; TILE], &mut T) + Sync,
    ) {
        let (rows, tiles) = (x.len() / cols, cols.div_ceil(TILE));
        let count = blocks.len();
        let blocks = Disjoint::new(blocks);
        self.pool().run(count.div_ceil(TILES_PER_TASK), &|task| {
            for index in task * TILES_PER_TASK..((task + 1) * TILES_PER_TASK).min(count) {
                let (row, tile) = (index / tiles, index % tiles);
                let index = tile * rows + row;
                // SAFETY: each tile and row has an index of its own, and every task is run once.
                let [out] = (unsafe { blocks.part(index..index + 1) }) else {
                    unreachable!("the part is one tile")
                };
                let x = &x[row * cols + tile * TILE..(row + 1) * cols];
                if let Some(x) = x.first_chunk() {
                    round(x, out);
                } else {
                    let mut padded = [0.0; TILE];
                    padded[..x.len()].copy_from_slice(x);
                    round(&padded, out);
                }
            }
        });
    }
}

/// Work that is worth handing to another thread: some microseconds.
const TILES_PER_TASK: usize = 64;
