//! Products of quants and rounded activations.
//!
//! Loops over blocks hide their counter from the compiler: one that sees that there are at most eight unrolls them all,
//! runs out of registers and keeps sums in memory.

use std::hint::black_box;

use super::Vectors;
use super::quants::{Quants, Unpacked};
use super::registers::Ints;
use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::buffer::Line;
use crate::float::floats::Floats;
use crate::format::Format;
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// Adds the products of unpacked tiles and 256 columns of some rows, rounded with a scale per 256, to those sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_q8_k<V: Vectors>(
    format: Format,
    tiles: &[UnpackedTile],
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    for (unpacked, sums) in tiles.iter().zip(sums.chunks_exact_mut(inputs.len())) {
        // SAFETY: the caller vouches for the instructions, and unpacked tiles hold bytes.
        unsafe {
            match format {
                Format::Q2K => rows_q8_k::<V, Unpacked<4>, true, true>(format, unpacked, inputs, sums),
                Format::Q3K => rows_q8_k::<V, Unpacked<4>, true, false>(format, unpacked, inputs, sums),
                Format::Q4K => rows_q8_k::<V, Unpacked<4>, false, true>(format, unpacked, inputs, sums),
                Format::Q5K => rows_q8_k::<V, Unpacked<5>, false, true>(format, unpacked, inputs, sums),
                Format::Q6K => rows_q8_k::<V, Unpacked<6>, true, false>(format, unpacked, inputs, sums),
                _ => rows_q8_k::<V, Unpacked<8>, false, false>(format, unpacked, inputs, sums),
            }
        }
    }
}

/// Adds the products of unpacked tiles and their columns of some rows, rounded with a scale per 32, to those sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_q8_0<V: Vectors>(
    format: Format,
    tiles: &[UnpackedTile],
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    for (unpacked, sums) in tiles.iter().zip(sums.chunks_exact_mut(inputs.len())) {
        // SAFETY: the caller vouches for the instructions, and unpacked tiles hold bytes.
        unsafe {
            match format {
                Format::Q4_0 => rows_q8_0::<V, Unpacked<4>, false>(format, unpacked, inputs, sums),
                Format::Q4_1 => rows_q8_0::<V, Unpacked<4>, true>(format, unpacked, inputs, sums),
                Format::Q5_0 => rows_q8_0::<V, Unpacked<5>, false>(format, unpacked, inputs, sums),
                Format::Q5_1 => rows_q8_0::<V, Unpacked<5>, true>(format, unpacked, inputs, sums),
                _ => rows_q8_0::<V, Unpacked<8>, false>(format, unpacked, inputs, sums),
            }
        }
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must hold quants of `Q`.
#[inline(always)]
unsafe fn rows_q8_k<V: Vectors, Q: Quants, const HALVES: bool, const MINS: bool>(
    format: Format,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    let compensation = compensation(format);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_q8_k::<V, Q, HALVES, MINS, 4>(compensation, unpacked, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_q8_k::<V, Q, HALVES, MINS, 1>(compensation, unpacked, input, sums) };
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must hold quants of `Q`.
#[inline(always)]
unsafe fn rows_q8_0<V: Vectors, Q: Quants, const MINS: bool>(
    format: Format,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    let compensation = compensation(format);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_q8_0::<V, Q, MINS, 4>(compensation, unpacked, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_q8_0::<V, Q, MINS, 1>(compensation, unpacked, input, sums) };
    }
}

/// The index of the activations' compensation for a format. Formats with mins have no zero point and do not use it.
pub(super) fn compensation(format: Format) -> usize {
    tile::compensation(format).unwrap_or(0)
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must hold quants of `Q`.
#[inline(always)]
unsafe fn tile_q8_k<V: Vectors, Q: Quants, const HALVES: bool, const MINS: bool, const ROWS: usize>(
    compensation: usize,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8K; ROWS],
    sums: &mut [[f32; LANES]; ROWS],
) {
    // SAFETY: the caller vouches for the instructions.
    let mut tile_sums = [unsafe { V::Floats::zero() }; ROWS];
    for block in 0..unpacked.blocks {
        let block = black_box(block);
        let lines = unpacked.quants[block].as_ptr();
        for half in 0..if HALVES { 2 } else { 1 } {
            let sub = if HALVES { 2 * block + half } else { block };
            // SAFETY: the caller vouches for the instructions and the quants.
            unsafe {
                let products =
                    products_q8_k::<V, Q, HALVES, MINS, ROWS>(lines, block, half, compensation, inputs);
                let scale = V::Floats::load(unpacked.scales[sub].as_ptr());
                for row in 0..ROWS {
                    tile_sums[row] = tile_sums[row].fma(products[row].to_floats(), scale);
                }
            }
        }
    }
    for row in 0..ROWS {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            finish_q8_k::<V, HALVES, MINS>(unpacked, &inputs[row], tile_sums[row], &mut sums[row]);
        }
    }
}

/// Multiplies a block or half of one, whose lines are given, and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `lines` must be those of a block of `Q`.
#[inline(always)]
pub(super) unsafe fn products_q8_k<
    V: Vectors,
    Q: Quants,
    const HALVES: bool,
    const MINS: bool,
    const ROWS: usize,
>(
    lines: *const Line,
    block: usize,
    half: usize,
    compensation: usize,
    inputs: &[BlockQ8K; ROWS],
) -> [V::Ints; ROWS] {
    let (sub, group) = if HALVES { (2 * block + half, 4 * half) } else { (block, 0) };
    let mut x = [std::ptr::null(); ROWS];
    let mut begin = [0; ROWS];
    for row in 0..ROWS {
        x[row] = inputs[row].quants[8 * block + group..].as_ptr();
        begin[row] = if MINS { 0 } else { inputs[row].compensation[compensation][sub] };
    }
    // SAFETY: the caller vouches for the instructions and the lines; `x` points to at least as many words as there are
    // groups from `group` on.
    unsafe {
        if HALVES {
            V::products::<Q, 4, ROWS>(lines, group, x, begin)
        } else {
            V::products::<Q, 8, ROWS>(lines, group, x, begin)
        }
    }
}

/// Takes the mins from the sums of a tile, scales them, and adds them to those of the row.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn finish_q8_k<V: Vectors, const HALVES: bool, const MINS: bool>(
    unpacked: &UnpackedTile,
    input: &BlockQ8K,
    mut tile_sums: V::Floats,
    sums: &mut [f32; LANES],
) {
    if MINS {
        let pairs: &[i32] = if HALVES { &input.sums_of_16 } else { &input.sums_of_32 };
        // SAFETY: the caller vouches for the instructions.
        let mut sum = unsafe { V::Ints::splat(0) };
        for (&pair, mins) in pairs.iter().zip(&unpacked.mins) {
            // SAFETY: as above.
            let (pair, mins) = unsafe { (V::Ints::splat(pair), V::Ints::load(mins.as_ptr())) };
            sum = sum.madd_pairs(pair, mins);
        }
        // SAFETY: as above.
        let dmin = unsafe { V::Floats::load(unpacked.dmins[0].as_ptr()) };
        tile_sums = tile_sums.fnma(sum.to_floats(), dmin);
    }
    // SAFETY: as above; sums have sixteen floats.
    unsafe {
        let scale = V::Floats::splat(&raw const input.scale);
        V::Floats::load(sums.as_ptr()).fma(tile_sums, scale).store(sums.as_mut_ptr());
    }
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the tile must hold quants of `Q`.
#[inline(always)]
unsafe fn tile_q8_0<V: Vectors, Q: Quants, const MINS: bool, const ROWS: usize>(
    compensation: usize,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8_0; ROWS],
    sums: &mut [[f32; LANES]; ROWS],
) {
    // SAFETY: the caller vouches for the instructions.
    let mut totals = [unsafe { V::Floats::zero() }; ROWS];
    for row in 0..ROWS {
        // SAFETY: as above; sums have sixteen floats.
        totals[row] = unsafe { V::Floats::load(sums[row].as_ptr()) };
    }
    for block in 0..unpacked.blocks {
        let block = black_box(block);
        // SAFETY: the caller vouches for the instructions and the quants.
        unsafe {
            let lines = unpacked.quants[block].as_ptr();
            let products = products_q8_0::<V, Q, MINS, ROWS>(lines, block, compensation, inputs);
            for row in 0..ROWS {
                totals[row] =
                    scaled_q8_0::<V, MINS>(unpacked, block, &inputs[row], products[row], totals[row]);
            }
        }
    }
    for row in 0..ROWS {
        // SAFETY: sums have sixteen floats.
        unsafe { totals[row].store(sums[row].as_mut_ptr()) };
    }
}

/// Multiplies a block, whose lines are given, and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `lines` must be those of a block of `Q`.
#[inline(always)]
pub(super) unsafe fn products_q8_0<V: Vectors, Q: Quants, const MINS: bool, const ROWS: usize>(
    lines: *const Line,
    block: usize,
    compensation: usize,
    inputs: &[BlockQ8_0; ROWS],
) -> [V::Ints; ROWS] {
    let mut x = [std::ptr::null(); ROWS];
    let mut begin = [0; ROWS];
    for row in 0..ROWS {
        x[row] = inputs[row].quants[8 * block..].as_ptr();
        begin[row] = if MINS { 0 } else { inputs[row].compensation[compensation][block] };
    }
    // SAFETY: the caller vouches for the instructions and the lines; `x` points to the eight words of a block.
    unsafe { V::products::<Q, 8, ROWS>(lines, 0, x, begin) }
}

/// Adds the products of a block, scaled, to the totals of a row.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn scaled_q8_0<V: Vectors, const MINS: bool>(
    unpacked: &UnpackedTile,
    block: usize,
    input: &BlockQ8_0,
    products: V::Ints,
    totals: V::Floats,
) -> V::Floats {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let scale = V::Floats::load(unpacked.scales[block].as_ptr());
        let scale = scale.mul(V::Floats::splat(&raw const input.scales[block]));
        let totals = totals.fma(products.to_floats(), scale);
        if !MINS {
            return totals;
        }
        let dmin = V::Floats::load(unpacked.dmins[block].as_ptr());
        totals.fma(dmin, V::Floats::splat(&raw const input.sums[block]))
    }
}
