//! Few rows of activations: tiles are unpacked in registers, as they come from memory.

use std::arch::x86_64::{__m512, __m512i};

use super::accumulate::{self, Source};
use super::block_format::BlockFormat;
use super::strips::{in_strips, with_block_format};
use crate::activations::Storage;
use crate::buffer::Line;
use crate::multiply::Work;
use crate::tile::{self, LANES};
use crate::x86::prefetch;

/// Computes sums if the rows are few and the weights quantized, and says whether it did.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn multiply(work: &Work<'_>, sums: &mut [[f32; LANES]]) -> bool {
    if work.rows.len() > FEW {
        return false;
    }
    for (lines, sums) in work.lines_and_sums(sums) {
        with_block_format!(work.weights.format(), F => rows::<F>(work, lines, sums), else return false);
    }
    true
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn rows<F: BlockFormat>(work: &Work<'_>, lines: &[Line], sums: &mut [[f32; LANES]]) {
    let prefetches = work.prefetches();
    let places = tile::tiles(F::FORMAT, work.weights.cols());
    for (index, place) in places.enumerate() {
        let tile = Tile::<F>::open(&lines[place.lines], place.blocks, prefetches);
        let inputs = work.inputs(index);
        match &work.input.storage {
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

/// A packed tile as a source of weights.
struct Tile<'a, F> {
    quants: &'a [Line],
    scales: &'a [Line],
    d: __m512,
    blocks: usize,
    prefetches: bool,
    format: std::marker::PhantomData<F>,
}

impl<'a, F: BlockFormat> Tile<'a, F> {
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

impl<F: BlockFormat> Source<1> for Tile<'_, F> {
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

/// How far ahead of the quants in use memory is asked for more: about as long as it takes to answer.
///
/// Two streams of weights at once gain a twentieth on Intel's processors and lose half on AMD's (Zen 4), so there is one.
const PREFETCH_LINES: usize = 64;

/// Rows from which on it pays to unpack a tile once for all of them.
const FEW: usize = 24;
