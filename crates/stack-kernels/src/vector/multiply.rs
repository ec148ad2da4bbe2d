//! Products of codes and rounded activations.
//!
//! Loops over blocks hide their counter from the compiler: one that sees that there are at most eight unrolls them all,
//! runs out of registers and keeps sums in memory.

use std::hint::black_box;

use super::codes::{Codes, Unpacked};
use super::{Ints, Vectors};
use crate::activations::{Rounded32, Rounded256};
use crate::buffer::Line;
use crate::float::floats::Floats;
use crate::format::Format;
use crate::panel::Panel;
use crate::tile::{self, LANES};

/// Adds the products of panels and 256 columns of some rows, rounded with a scale per 256, to those sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_256<V: Vectors>(
    format: Format,
    panels: &[Panel],
    inputs: &[Rounded256],
    sums: &mut [[f32; LANES]],
) {
    for (panel, sums) in panels.iter().zip(sums.chunks_exact_mut(inputs.len())) {
        // SAFETY: the caller vouches for the instructions, and panels hold bytes.
        unsafe {
            match format {
                Format::Q2K => rows_256::<V, Unpacked<4>, true, true>(format, panel, inputs, sums),
                Format::Q3K => rows_256::<V, Unpacked<4>, true, false>(format, panel, inputs, sums),
                Format::Q4K => rows_256::<V, Unpacked<4>, false, true>(format, panel, inputs, sums),
                Format::Q5K => rows_256::<V, Unpacked<5>, false, true>(format, panel, inputs, sums),
                Format::Q6K => rows_256::<V, Unpacked<6>, true, false>(format, panel, inputs, sums),
                _ => rows_256::<V, Unpacked<8>, false, false>(format, panel, inputs, sums),
            }
        }
    }
}

/// Adds the products of panels and their columns of some rows, rounded with a scale per 32, to those sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_32<V: Vectors>(
    format: Format,
    panels: &[Panel],
    inputs: &[Rounded32],
    sums: &mut [[f32; LANES]],
) {
    for (panel, sums) in panels.iter().zip(sums.chunks_exact_mut(inputs.len())) {
        // SAFETY: the caller vouches for the instructions, and panels hold bytes.
        unsafe {
            match format {
                Format::Q4_0 => rows_32::<V, Unpacked<4>, false>(format, panel, inputs, sums),
                Format::Q4_1 => rows_32::<V, Unpacked<4>, true>(format, panel, inputs, sums),
                Format::Q5_0 => rows_32::<V, Unpacked<5>, false>(format, panel, inputs, sums),
                Format::Q5_1 => rows_32::<V, Unpacked<5>, true>(format, panel, inputs, sums),
                _ => rows_32::<V, Unpacked<8>, false>(format, panel, inputs, sums),
            }
        }
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the panel must hold codes of `C`.
#[inline(always)]
unsafe fn rows_256<V: Vectors, C: Codes, const HALVES: bool, const MINIMA: bool>(
    format: Format,
    panel: &Panel,
    inputs: &[Rounded256],
    sums: &mut [[f32; LANES]],
) {
    let start = start(format);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_256::<V, C, HALVES, MINIMA, 4>(start, panel, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_256::<V, C, HALVES, MINIMA, 1>(start, panel, input, sums) };
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the panel must hold codes of `C`.
#[inline(always)]
unsafe fn rows_32<V: Vectors, C: Codes, const MINIMA: bool>(
    format: Format,
    panel: &Panel,
    inputs: &[Rounded32],
    sums: &mut [[f32; LANES]],
) {
    let start = start(format);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_32::<V, C, MINIMA, 4>(start, panel, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_32::<V, C, MINIMA, 1>(start, panel, input, sums) };
    }
}

/// Which start of the activations fits a format. Formats with minima have no offset, and start at zero anyway.
pub(super) fn start(format: Format) -> usize {
    tile::start(format).unwrap_or(0)
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the panel must hold codes of `C`.
#[inline(always)]
unsafe fn tile_256<V: Vectors, C: Codes, const HALVES: bool, const MINIMA: bool, const ROWS: usize>(
    start: usize,
    panel: &Panel,
    inputs: &[Rounded256; ROWS],
    sums: &mut [[f32; LANES]; ROWS],
) {
    // SAFETY: the caller vouches for the instructions.
    let mut tile_sums = [unsafe { V::Floats::zero() }; ROWS];
    for block in 0..panel.blocks {
        let block = black_box(block);
        let lines = panel.codes[block].as_ptr();
        for half in 0..if HALVES { 2 } else { 1 } {
            let sub = if HALVES { 2 * block + half } else { block };
            // SAFETY: the caller vouches for the instructions and the codes.
            unsafe {
                let products = products_256::<V, C, HALVES, MINIMA, ROWS>(lines, block, half, start, inputs);
                let scale = V::Floats::load(panel.scales[sub].as_ptr());
                for row in 0..ROWS {
                    tile_sums[row] = tile_sums[row].plus_product(products[row].to_floats(), scale);
                }
            }
        }
    }
    for row in 0..ROWS {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            finish_256::<V, HALVES, MINIMA>(panel, &inputs[row], tile_sums[row], &mut sums[row]);
        }
    }
}

/// Multiplies a block or half of one, whose lines are given, and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `lines` must be those of a block of `C`.
#[inline(always)]
pub(super) unsafe fn products_256<
    V: Vectors,
    C: Codes,
    const HALVES: bool,
    const MINIMA: bool,
    const ROWS: usize,
>(
    lines: *const Line,
    block: usize,
    half: usize,
    start: usize,
    inputs: &[Rounded256; ROWS],
) -> [V::Ints; ROWS] {
    let (sub, group) = if HALVES { (2 * block + half, 4 * half) } else { (block, 0) };
    let mut x = [std::ptr::null(); ROWS];
    let mut starts = [0; ROWS];
    for row in 0..ROWS {
        x[row] = inputs[row].codes[8 * block + group..].as_ptr();
        starts[row] = if MINIMA { 0 } else { inputs[row].starts[start][sub] };
    }
    // SAFETY: the caller vouches for the instructions and the lines; `x` points to at least as many words as there are
    // groups from `group` on.
    unsafe {
        if HALVES {
            V::products::<C, 4, ROWS>(lines, group, x, starts)
        } else {
            V::products::<C, 8, ROWS>(lines, group, x, starts)
        }
    }
}

/// Takes the minima from the sums of a tile, scales them, and adds them to those of the row.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn finish_256<V: Vectors, const HALVES: bool, const MINIMA: bool>(
    panel: &Panel,
    input: &Rounded256,
    mut tile_sums: V::Floats,
    sums: &mut [f32; LANES],
) {
    if MINIMA {
        let pairs: &[i32] = if HALVES { &input.sums_of_16 } else { &input.sums_of_32 };
        // SAFETY: the caller vouches for the instructions.
        let mut minimum = unsafe { V::Ints::splat(0) };
        for (&pair, minima) in pairs.iter().zip(&panel.minima) {
            // SAFETY: as above.
            let (pair, minima) = unsafe { (V::Ints::splat(pair), V::Ints::load(minima.as_ptr())) };
            minimum = minimum.plus_pair_products(pair, minima);
        }
        // SAFETY: as above.
        let floor = unsafe { V::Floats::load(panel.floors[0].as_ptr()) };
        tile_sums = tile_sums.minus_product(minimum.to_floats(), floor);
    }
    // SAFETY: as above; sums have sixteen floats.
    unsafe {
        let scale = V::Floats::splat(&raw const input.scale);
        V::Floats::load(sums.as_ptr()).plus_product(tile_sums, scale).store(sums.as_mut_ptr());
    }
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and the panel must hold codes of `C`.
#[inline(always)]
unsafe fn tile_32<V: Vectors, C: Codes, const MINIMA: bool, const ROWS: usize>(
    start: usize,
    panel: &Panel,
    inputs: &[Rounded32; ROWS],
    sums: &mut [[f32; LANES]; ROWS],
) {
    // SAFETY: the caller vouches for the instructions.
    let mut totals = [unsafe { V::Floats::zero() }; ROWS];
    for row in 0..ROWS {
        // SAFETY: as above; sums have sixteen floats.
        totals[row] = unsafe { V::Floats::load(sums[row].as_ptr()) };
    }
    for block in 0..panel.blocks {
        let block = black_box(block);
        // SAFETY: the caller vouches for the instructions and the codes.
        unsafe {
            let lines = panel.codes[block].as_ptr();
            let products = products_32::<V, C, MINIMA, ROWS>(lines, block, start, inputs);
            for row in 0..ROWS {
                totals[row] = scaled_32::<V, MINIMA>(panel, block, &inputs[row], products[row], totals[row]);
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
/// The processor must have the instructions of `V`, and `lines` must be those of a block of `C`.
#[inline(always)]
pub(super) unsafe fn products_32<V: Vectors, C: Codes, const MINIMA: bool, const ROWS: usize>(
    lines: *const Line,
    block: usize,
    start: usize,
    inputs: &[Rounded32; ROWS],
) -> [V::Ints; ROWS] {
    let mut x = [std::ptr::null(); ROWS];
    let mut starts = [0; ROWS];
    for row in 0..ROWS {
        x[row] = inputs[row].codes[8 * block..].as_ptr();
        starts[row] = if MINIMA { 0 } else { inputs[row].starts[start][block] };
    }
    // SAFETY: the caller vouches for the instructions and the lines; `x` points to the eight words of a block.
    unsafe { V::products::<C, 8, ROWS>(lines, 0, x, starts) }
}

/// Adds the products of a block, scaled, to the totals of a row.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn scaled_32<V: Vectors, const MINIMA: bool>(
    panel: &Panel,
    block: usize,
    input: &Rounded32,
    products: V::Ints,
    totals: V::Floats,
) -> V::Floats {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let scale = V::Floats::load(panel.scales[block].as_ptr());
        let scale = scale.times(V::Floats::splat(&raw const input.scales[block]));
        let totals = totals.plus_product(products.to_floats(), scale);
        if !MINIMA {
            return totals;
        }
        let floor = V::Floats::load(panel.floors[block].as_ptr());
        totals.plus_product(floor, V::Floats::splat(&raw const input.sums[block]))
    }
}
