//! GEMV: products for a small batch, straight from the packed tiles.
//!
//! They take as long as the weights need to come from memory, which is quickest in the order in which they lie: first
//! all quants of a tile, then their scales. So all products of a tile are computed before any is scaled.

use std::array;
use std::hint::black_box;
use std::mem::MaybeUninit;

use super::multiply::{compensation, finish_q8_k, products_q8_0, products_q8_k, scaled_q8_0};
use super::quants::{Codebook, FiveBits, Fp4E2M1, Nibbles, Quants, SixBits, ThreeBits, TwoBits, Unpacked};
use super::registers::Ints;
use super::{Vectors, scales};
use crate::activations::{BlockQ8_0, BlockQ8K, Storage};
use crate::buffer::Line;
use crate::float::floats::Floats;
use crate::format::Format;
use crate::kernels::Operands;
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// A packed tile.
#[derive(Clone, Copy)]
struct PackedTile<'a> {
    format: Format,
    /// The quants, then their scales.
    lines: &'a [Line],
    blocks: usize,
    /// Whether lines are prefetched.
    prefetches: bool,
}

impl PackedTile<'_> {
    /// Returns the lines of one block.
    #[inline(always)]
    fn block<V: Vectors>(self, index: usize) -> *const Line {
        let per_block = tile::quant_lines(self.format);
        let lines = &self.lines[index * per_block..(index + 1) * per_block];
        if self.prefetches {
            for line in lines {
                V::Floats::prefetch((&raw const *line).wrapping_add(LINES_AHEAD).cast());
            }
        }
        lines.as_ptr()
    }

    /// Unpacks the scales of the quants.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `V`.
    #[inline(always)]
    unsafe fn unpack_scales<V: Vectors>(self, unpacked: &mut UnpackedTile) {
        let scales = &self.lines[self.blocks * tile::quant_lines(self.format)..];
        // SAFETY: the caller vouches for the instructions.
        unsafe { scales::unpack::<V>(self.format, Line::bytes(scales), self.blocks, unpacked) };
    }
}

/// Adds the products to the rows' sums, if the batch is small, and says whether it was.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn gemv<V: Vectors>(
    operands: &Operands<'_>,
    unpacked: &mut UnpackedTile,
    sums: &mut [[f32; LANES]],
) -> bool {
    if operands.rows.len() > BATCH_MAX || operands.rows.is_empty() {
        return false;
    }
    let format = operands.weights.format();
    let prefetches = operands.prefetches();
    for (lines, sums) in operands.lines_and_sums(sums) {
        for (index, tile) in tile::tiles(format, operands.weights.cols()).enumerate() {
            let tile = PackedTile { format, lines: &lines[tile.lines], blocks: tile.blocks, prefetches };
            let inputs = operands.inputs(index);
            // SAFETY: the caller vouches for the instructions, and the tile is one of the format.
            unsafe {
                match &operands.input.storage {
                    Storage::Q8K(blocks) => packed_q8_k::<V>(tile, unpacked, &blocks[inputs], sums),
                    Storage::Q8_0(blocks) => packed_q8_0::<V>(tile, unpacked, &blocks[inputs], sums),
                    Storage::Float(_) => unreachable!("floats have no tiles"),
                }
            }
        }
    }
    true
}

/// Adds the products of a packed tile whose activations have a scale per 256.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must be one of its format.
#[inline(always)]
unsafe fn packed_q8_k<V: Vectors>(
    tile: PackedTile<'_>,
    unpacked: &mut UnpackedTile,
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match tile.format {
            Format::Q2K => rows_q8_k::<V, TwoBits, true, true>(tile, unpacked, inputs, sums),
            Format::Q3K => rows_q8_k::<V, ThreeBits, true, false>(tile, unpacked, inputs, sums),
            Format::Q4K => rows_q8_k::<V, Nibbles, false, true>(tile, unpacked, inputs, sums),
            Format::Q5K => rows_q8_k::<V, FiveBits, false, true>(tile, unpacked, inputs, sums),
            Format::Q6K => rows_q8_k::<V, SixBits, true, false>(tile, unpacked, inputs, sums),
            _ => rows_q8_k::<V, Codebook, false, false>(tile, unpacked, inputs, sums),
        }
    }
}

/// Adds the products of a packed tile whose activations have a scale per 32.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must be one of its format.
#[inline(always)]
unsafe fn packed_q8_0<V: Vectors>(
    tile: PackedTile<'_>,
    unpacked: &mut UnpackedTile,
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match tile.format {
            Format::Q4_0 => rows_q8_0::<V, Nibbles, false>(tile, unpacked, inputs, sums),
            Format::Q4_1 => rows_q8_0::<V, Nibbles, true>(tile, unpacked, inputs, sums),
            Format::Q5_0 => rows_q8_0::<V, FiveBits, false>(tile, unpacked, inputs, sums),
            Format::Q5_1 => rows_q8_0::<V, FiveBits, true>(tile, unpacked, inputs, sums),
            Format::Q8_0 => rows_q8_0::<V, Unpacked<8>, false>(tile, unpacked, inputs, sums),
            Format::Mxfp4 => rows_q8_0::<V, Fp4E2M1, false>(tile, unpacked, inputs, sums),
            _ => rows_q8_0::<V, Codebook, false>(tile, unpacked, inputs, sums),
        }
    }
}

/// Adds the products of a tile of `Q` and some rows, one after the other.
///
/// # Safety
///
/// As for [`packed_q8_k`], with quants of `Q`.
#[inline(always)]
unsafe fn rows_q8_k<V: Vectors, Q: Quants, const HALVES: bool, const MINS: bool>(
    tile: PackedTile<'_>,
    unpacked: &mut UnpackedTile,
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    let (compensation, halves) = (compensation(tile.format), if HALVES { 2 } else { 1 });
    let mut products = [MaybeUninit::<V::Ints>::uninit(); 16];
    for (row, (input, sums)) in inputs.iter().zip(sums).enumerate() {
        for (block, products) in products.chunks_exact_mut(halves).enumerate().take(tile.blocks) {
            let block = black_box(block);
            let lines = tile.block::<V>(block);
            for (half, product) in products.iter_mut().enumerate() {
                // SAFETY: the caller vouches for the instructions and the quants.
                let [computed] = unsafe {
                    products_q8_k::<V, Q, HALVES, MINS, 1>(
                        lines,
                        block,
                        half,
                        compensation,
                        array::from_ref(input),
                    )
                };
                product.write(computed);
            }
        }
        if row == 0 {
            // SAFETY: the caller vouches for the instructions.
            unsafe { tile.unpack_scales::<V>(unpacked) };
        }
        // SAFETY: the caller vouches for the instructions, and the products of all blocks were written.
        unsafe {
            let mut tile_sums = V::Floats::zero();
            for (product, scales) in products.iter().zip(&unpacked.scales).take(halves * tile.blocks) {
                let scale = V::Floats::load(scales.as_ptr());
                tile_sums = tile_sums.fma(product.assume_init().to_floats(), scale);
            }
            finish_q8_k::<V, HALVES, MINS>(unpacked, input, tile_sums, sums);
        }
    }
}

/// Adds the products of a tile of `Q` and some rows, one after the other.
///
/// # Safety
///
/// As for [`packed_q8_0`], with quants of `Q`.
#[inline(always)]
unsafe fn rows_q8_0<V: Vectors, Q: Quants, const MINS: bool>(
    tile: PackedTile<'_>,
    unpacked: &mut UnpackedTile,
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    let compensation = compensation(tile.format);
    let mut products = [MaybeUninit::<V::Ints>::uninit(); 8];
    for (row, (input, sums)) in inputs.iter().zip(sums).enumerate() {
        for (block, product) in products.iter_mut().enumerate().take(tile.blocks) {
            let block = black_box(block);
            let lines = tile.block::<V>(block);
            // SAFETY: the caller vouches for the instructions and the quants.
            let [computed] =
                unsafe { products_q8_0::<V, Q, MINS, 1>(lines, block, compensation, array::from_ref(input)) };
            product.write(computed);
        }
        if row == 0 {
            // SAFETY: the caller vouches for the instructions.
            unsafe { tile.unpack_scales::<V>(unpacked) };
        }
        // SAFETY: the caller vouches for the instructions, and the products of all blocks were written.
        unsafe {
            let mut totals = V::Floats::load(sums.as_ptr());
            for (block, product) in products.iter().enumerate().take(tile.blocks) {
                let product = product.assume_init();
                totals = scaled_q8_0::<V, MINS>(unpacked, block, input, product, totals);
            }
            totals.store(sums.as_mut_ptr());
        }
    }
}

/// The largest batch for which unpacking a tile once does not pay.
const BATCH_MAX: usize = 3;

/// The distance from weights in use to those that are prefetched, in lines: about two tiles.
const LINES_AHEAD: usize = 80;
