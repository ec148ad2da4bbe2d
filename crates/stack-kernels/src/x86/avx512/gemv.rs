//! GEMV: products for a small batch, whose tiles are unpacked in registers as they come from memory.

use std::arch::x86_64::{__m512, __m512i};

use super::accumulate::{self, Tiles};
use super::block_format::BlockFormat;
use super::strips::{in_strips, with_block_format};
use crate::activations::Storage;
use crate::buffer::Line;
use crate::cache::prefetch;
use crate::kernels::Operands;
use crate::tile::{self, LANES};

/// Computes sums if the batch is small and the weights are quantized, and says whether it did.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn multiply(operands: &Operands<'_>, sums: &mut [[f32; LANES]]) -> bool {
    if operands.rows.len() > BATCH_MAX {
        return false;
    }
    for (lines, sums) in operands.lines_and_sums(sums) {
        with_block_format!(operands.weights.format(), F => rows::<F>(operands, lines, sums), else return false);
    }
    true
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn rows<F: BlockFormat>(operands: &Operands<'_>, lines: &[Line], sums: &mut [[f32; LANES]]) {
    let prefetches = operands.prefetches();
    let tiles = tile::tiles(F::FORMAT, operands.weights.cols());
    for (index, tile) in tiles.enumerate() {
        let tile = PackedTile::<F>::open(&lines[tile.lines], tile.blocks, prefetches);
        let inputs = operands.inputs(index);
        match &operands.input.storage {
            Storage::Q8K(blocks) => {
                in_strips!([1 2 3 4 5 6 7 8], accumulate::accumulate_q8_k, &tile, &blocks[inputs], [&mut *sums]);
            }
            Storage::Q8_0(blocks) => {
                in_strips!([1 2 3 4 5 6 7 8], accumulate::accumulate_q8_0, &tile, &blocks[inputs], [&mut *sums]);
            }
            Storage::Float(_) => unreachable!("floats have no tiles"),
        }
    }
}

/// A packed tile, unpacked block by block.
struct PackedTile<'a, F> {
    quants: &'a [Line],
    scales: &'a [Line],
    d: __m512,
    blocks: usize,
    prefetches: bool,
    format: std::marker::PhantomData<F>,
}

impl<'a, F: BlockFormat> PackedTile<'a, F> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    fn open(tile: &'a [Line], blocks: usize, prefetches: bool) -> Self {
        assert_eq!(tile.len(), tile::tile_lines(F::FORMAT, blocks), "lines of {blocks} blocks");
        let (quants, scales) = tile.split_at(blocks * F::LINES);
        // SAFETY: this function has the features of this module, and the tile was just seen to be whole.
        let d = unsafe { F::d(scales) };
        Self { quants, scales, d, blocks, prefetches, format: std::marker::PhantomData }
    }
}

impl<F: BlockFormat> Tiles<1> for PackedTile<'_, F> {
    const HALVES: bool = F::HALVES;
    const MINS: bool = F::MINS;

    type Block = [__m512i; 8];

    #[inline]
    fn blocks(&self) -> usize {
        self.blocks
    }

    #[inline]
    fn compensation(&self) -> usize {
        F::COMPENSATION
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn block(&self, block: usize) -> Self::Block {
        debug_assert!(block < self.blocks);
        // SAFETY: `open` saw the lines of all blocks, and the caller asks for one of those.
        let lines = unsafe { self.quants.get_unchecked(block * F::LINES..(block + 1) * F::LINES) };
        if self.prefetches {
            for line in lines {
                prefetch::<true, Line>(std::ptr::from_ref(line).wrapping_add(PREFETCH_LINES));
            }
        }
        // SAFETY: this function has the features of this module; `open` saw a whole tile.
        unsafe { F::quants(lines) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn group(block: &Self::Block, _: usize, group: usize) -> __m512i {
        block[group]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn scale(&self, _: usize, sub: usize) -> __m512 {
        // SAFETY: this function has the features of this module; `open` saw a whole tile.
        unsafe { F::scale(self.scales, self.d, sub) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn mins(&self, _: usize, pair: usize) -> __m512i {
        // SAFETY: this function has the features of this module; `open` saw a whole tile.
        unsafe { F::mins(self.scales, pair) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn dmin(&self, _: usize, block: usize) -> __m512 {
        // SAFETY: this function has the features of this module; `open` saw a whole tile.
        unsafe { F::dmin(self.scales, self.blocks, block) }
    }
}

/// The distance from the quants in use to those that are prefetched: about as far as reading gets before memory answers.
///
/// Two streams of weights at once gain a twentieth on Intel's processors and lose half on AMD's (Zen 4), so there is one.
const PREFETCH_LINES: usize = 64;

/// The largest batch for which unpacking a tile once for all rows does not pay.
const BATCH_MAX: usize = 24;
