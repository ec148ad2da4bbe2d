//! Tiles that are unpacked once for many rows of activations.

use std::arch::x86_64::{__m512, __m512i};

use super::accumulate::{self, Tiles};
use super::block_format::BlockFormat;
use super::load;
use super::strips::{in_strips, with_block_format};
use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::buffer::Line;
use crate::cache::prefetch;
use crate::format::Format;
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// Unpacks a tile of so many blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn unpack(format: Format, tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile) {
    with_block_format!(format, F => unpack_as::<F>(tile, blocks, unpacked), else unreachable!("floats have no tiles"));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn unpack_as<F: BlockFormat>(tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile) {
    assert_eq!(tile.len(), tile::tile_lines(F::FORMAT, blocks), "lines of {blocks} blocks");
    for line in tile {
        // The tile that follows, which is needed once all rows were multiplied with this one.
        prefetch::<false, Line>(std::ptr::from_ref(line).wrapping_add(tile.len()));
    }
    let (quants, scales) = tile.split_at(blocks * F::LINES);
    unpacked.blocks = blocks;
    for (lines, groups) in quants.chunks_exact(F::LINES).zip(&mut unpacked.quants) {
        // SAFETY: this function has the features of this module, and the tile was just seen to be whole.
        let quants = unsafe { F::quants(lines) };
        for (line, group) in groups.iter_mut().zip(quants) {
            load::store_line(line, group);
        }
    }
    // SAFETY: as above.
    let d = unsafe { F::d(scales) };
    let subs = if F::HALVES { 2 * blocks } else { blocks };
    for (sub, out) in unpacked.scales.iter_mut().enumerate().take(subs) {
        // SAFETY: as above.
        load::store_floats(out, unsafe { F::scale(scales, d, sub) });
    }
    if F::MINS {
        for (pair, out) in unpacked.mins.iter_mut().enumerate().take(subs / 2) {
            // SAFETY: as above.
            load::store_integers(out, unsafe { F::mins(scales, pair) });
        }
        let dmins = if F::PER_32 { blocks } else { 1 };
        for (block, out) in unpacked.dmins.iter_mut().enumerate().take(dmins) {
            // SAFETY: as above.
            load::store_floats(out, unsafe { F::dmin(scales, blocks, block) });
        }
    }
}

/// Adds the products of unpacked tiles and rows with a scale per 256.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn accumulate_q8_k<const HALVES: bool, const MINS: bool>(
    tiles: &[UnpackedTile],
    compensation: usize,
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    if let Some(tiles) = tiles.as_array::<2>() {
        let tiles = Unpacked::<2, HALVES, MINS> { tiles, compensation: compensation.min(2) };
        let sums: [_; 2] = sums.split_at_mut(inputs.len()).into();
        in_strips!([1 2 3 4 5 6], accumulate::accumulate_q8_k, &tiles, inputs, sums);
    } else {
        let tiles = Unpacked::<1, HALVES, MINS> { tiles: one(tiles), compensation: compensation.min(2) };
        in_strips!([1 2 3 4 5 6], accumulate::accumulate_q8_k, &tiles, inputs, [sums]);
    }
}

/// Adds the products of unpacked tiles and rows with a scale per 32.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn accumulate_q8_0<const MINS: bool>(
    tiles: &[UnpackedTile],
    compensation: usize,
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    if let Some(tiles) = tiles.as_array::<2>() {
        let tiles = Unpacked::<2, false, MINS> { tiles, compensation: compensation.min(2) };
        let sums: [_; 2] = sums.split_at_mut(inputs.len()).into();
        in_strips!([1 2 3 4 5 6], accumulate::accumulate_q8_0, &tiles, inputs, sums);
    } else {
        let tiles = Unpacked::<1, false, MINS> { tiles: one(tiles), compensation: compensation.min(2) };
        in_strips!([1 2 3 4 5 6], accumulate::accumulate_q8_0, &tiles, inputs, [sums]);
    }
}

fn one(tiles: &[UnpackedTile]) -> &[UnpackedTile; 1] {
    tiles.as_array().expect("there are one or two tiles")
}

/// Unpacked tiles of neighbouring groups.
struct Unpacked<'a, const N: usize, const HALVES: bool, const MINS: bool> {
    tiles: &'a [UnpackedTile; N],
    compensation: usize,
}

impl<'a, const N: usize, const HALVES: bool, const MINS: bool> Tiles<N> for Unpacked<'a, N, HALVES, MINS> {
    const HALVES: bool = HALVES;
    const MINS: bool = MINS;

    type Block = [&'a [Line; 8]; N];

    #[inline]
    fn blocks(&self) -> usize {
        self.tiles[0].blocks
    }

    #[inline]
    fn compensation(&self) -> usize {
        self.compensation
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn block(&self, block: usize) -> Self::Block {
        self.tiles.each_ref().map(|unpacked| &unpacked.quants[block])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn group(block: &Self::Block, n: usize, group: usize) -> __m512i {
        load::line(&block[n][group])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn scale(&self, n: usize, sub: usize) -> __m512 {
        load::floats(&self.tiles[n].scales[sub])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn mins(&self, n: usize, pair: usize) -> __m512i {
        load::integers(&self.tiles[n].mins[pair])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn dmin(&self, n: usize, block: usize) -> __m512 {
        load::floats(&self.tiles[n].dmins[block])
    }
}
