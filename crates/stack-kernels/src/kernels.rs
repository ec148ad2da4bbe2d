//! The trait that every level implements, and the operands of its kernels.

use std::ops::Range;

use crate::activations::{Activations, BlockQ8_0, BlockQ8K, Storage};
use crate::buffer::Line;
use crate::float::FloatTask;
use crate::format::Format;
use crate::matrix::Matrix;
use crate::prefetch::PrefetchPolicy;
use crate::scratch::TILES;
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// The kernels of one level, for products and for the rounding of activations.
pub(crate) trait Kernels: Copy {
    /// Unpacks a tile of so many blocks.
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile);

    /// Adds the products of one or two unpacked tiles and each row's activations to those sums: \[tile]\[row].
    fn accumulate_q8_k(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8K],
        sums: &mut [[f32; LANES]],
    );

    /// Adds the products of one or two unpacked tiles and each row's activations to those sums: \[tile]\[row].
    fn accumulate_q8_0(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8_0],
        sums: &mut [[f32; LANES]],
    );

    /// Adds the products of float weights to their sums.
    fn floats(self, task: &mut FloatTask<'_>);

    /// Computes the sums of quantized weights for a batch so small that unpacking does not pay, straight from the packed
    /// tiles, and says whether it did. What `unpacked` holds is overwritten.
    fn gemv(self, operands: &Operands<'_>, unpacked: &mut UnpackedTile, sums: &mut [[f32; LANES]]) -> bool;

    /// Rounds 256 columns of activations with one scale.
    fn quantize_q8_k(self, x: &[f32; 256], out: &mut BlockQ8K);

    /// Rounds 256 columns of activations with a scale per 32.
    fn quantize_q8_0(self, x: &[f32; 256], out: &mut BlockQ8_0);
}

/// The operands of one product: some groups of weights, at most as many as tiles are unpacked together, and some rows of
/// activations.
pub(crate) struct Operands<'a> {
    pub(crate) weights: &'a Matrix,
    pub(crate) groups: Range<usize>,
    pub(crate) input: &'a Activations,
    pub(crate) rows: Range<usize>,
    pub(crate) prefetch: PrefetchPolicy,
}

impl Operands<'_> {
    /// Computes the sums of each group and row, which are zero before.
    pub(crate) fn run<K: Kernels>(
        &self,
        kernels: K,
        tiles: &mut [UnpackedTile; TILES],
        sums: &mut [[f32; LANES]],
    ) {
        let (format, cols) = (self.weights.format(), self.weights.cols());
        if kernels.gemv(self, &mut tiles[0], sums) {
            return;
        }
        let tiles = &mut tiles[..self.groups.len()];
        for (index, tile) in tile::tiles(format, cols).enumerate() {
            for (group, unpacked) in self.groups.clone().zip(&mut *tiles) {
                kernels.unpack(format, &self.weights.group(group)[tile.lines.clone()], tile.blocks, unpacked);
            }
            match &self.input.storage {
                Storage::Q8_0(blocks) => {
                    kernels.accumulate_q8_0(format, tiles, &blocks[self.inputs(index)], sums);
                }
                Storage::Q8K(blocks) => {
                    kernels.accumulate_q8_k(format, tiles, &blocks[self.inputs(index)], sums);
                }
                Storage::Float(_) => unreachable!("floats have no tiles"),
            }
        }
    }

    /// Whether the weights, which are read once, are prefetched.
    pub(crate) fn prefetches(&self) -> bool {
        self.rows.len() > 1 || self.prefetch == PrefetchPolicy::Software
    }

    /// The lines of each group, and its sums of each row.
    pub(crate) fn lines_and_sums<'s>(
        &self,
        sums: &'s mut [[f32; LANES]],
    ) -> impl Iterator<Item = (&[Line], &'s mut [[f32; LANES]])> {
        let lines = self.groups.clone().map(|group| self.weights.group(group));
        lines.zip(sums.chunks_exact_mut(self.rows.len()))
    }

    /// The blocks of the rows in one tile of the rounded activations.
    pub(crate) fn inputs(&self, tile: usize) -> Range<usize> {
        let first = tile * self.input.rows();
        first + self.rows.start..first + self.rows.end
    }
}
