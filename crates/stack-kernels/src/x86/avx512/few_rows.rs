//! Few rows of activations: tiles are unpacked in registers, as they come from memory.

use std::arch::x86_64::{__m512, __m512i};

use super::accumulate::{self, Source};
use super::scheme::Scheme;
use super::strips::{in_strips, with_scheme};
use crate::activations::Held;
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
        with_scheme!(work.weights.format(), F => rows::<F>(work, lines, sums), else return false);
    }
    true
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn rows<F: Scheme>(work: &Work<'_>, lines: &[Line], sums: &mut [[f32; LANES]]) {
    let prefetches = work.prefetches();
    let places = tile::tiles(F::FORMAT, work.weights.cols());
    for (index, place) in places.enumerate() {
        let tile = Tile::<F>::open(&lines[place.lines], place.blocks, prefetches);
        let inputs = work.inputs(index);
        match &work.input.held {
            Held::Block256(held) => {
                in_strips!([1 2 3 4 5 6 7 8], accumulate::scale_per_256, &tile, &held[inputs], [&mut *sums]);
            }
            Held::Block32(held) => {
                in_strips!([1 2 3 4 5 6 7 8], accumulate::scale_per_32, &tile, &held[inputs], [&mut *sums]);
            }
            Held::Float(_) => unreachable!("floats have no tiles"),
        }
    }
}

/// A packed tile as a source of weights.
struct Tile<'a, F> {
    codes: &'a [Line],
    scales: &'a [Line],
    head: __m512,
    blocks: usize,
    prefetches: bool,
    scheme: std::marker::PhantomData<F>,
}

impl<'a, F: Scheme> Tile<'a, F> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    fn open(tile: &'a [Line], blocks: usize, prefetches: bool) -> Self {
        assert_eq!(tile.len(), tile::tile_lines(F::FORMAT, blocks), "lines of {blocks} blocks");
        let (codes, scales) = tile.split_at(blocks * F::LINES);
        // SAFETY: this function has the features of the scheme's, and the tile was just seen to be whole.
        let head = unsafe { F::head(scales) };
        Self { codes, scales, head, blocks, prefetches, scheme: std::marker::PhantomData }
    }
}

impl<F: Scheme> Source<1> for Tile<'_, F> {
    const HALVES: bool = F::HALVES;
    const MINIMA: bool = F::MINIMA;

    type Block = [__m512i; 8];

    #[inline]
    fn blocks(&self) -> usize {
        self.blocks
    }

    #[inline]
    fn start(&self) -> usize {
        F::START
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn block(&self, block: usize) -> Self::Block {
        debug_assert!(block < self.blocks);
        // SAFETY: `open` saw the lines of all blocks, and the caller asks for one of those.
        let lines = unsafe { self.codes.get_unchecked(block * F::LINES..(block + 1) * F::LINES) };
        if self.prefetches {
            for line in lines {
                prefetch::<true, Line>(std::ptr::from_ref(line).wrapping_add(PREFETCH_LINES));
            }
        }
        // SAFETY: this function has the features of the scheme's; `open` saw a whole tile.
        unsafe { F::codes(lines) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn group(block: &Self::Block, _: usize, group: usize) -> __m512i {
        block[group]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn scale(&self, _: usize, sub: usize) -> __m512 {
        // SAFETY: this function has the features of the scheme's; `open` saw a whole tile.
        unsafe { F::scale(self.scales, self.head, sub) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn minima(&self, _: usize, pair: usize) -> __m512i {
        // SAFETY: this function has the features of the scheme's; `open` saw a whole tile.
        unsafe { F::minima(self.scales, pair) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn floor(&self, _: usize, block: usize) -> __m512 {
        // SAFETY: this function has the features of the scheme's; `open` saw a whole tile.
        unsafe { F::floor(self.scales, self.blocks, block) }
    }
}

/// How far ahead of the codes in use memory is asked for more: about as long as it takes to answer.
///
/// Two streams of weights at once gain a twentieth on Intel's processors and lose half on AMD's (Zen 4), so there is one.
const PREFETCH_LINES: usize = 64;

/// Rows from which on it pays to unpack a tile once for all of them.
const FEW: usize = 24;
