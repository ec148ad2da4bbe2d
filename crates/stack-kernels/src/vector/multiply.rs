//! Products of codes and rounded activations.
//!
//! Loops over blocks hide their counter from the compiler: one that sees that there are at most eight unrolls them all,
//! runs out of registers and keeps sums in memory.

use std::hint::black_box;

use super::codes::{Codes, Unpacked};
use super::{Ints, Vectors};
use crate::activations::{Rounded32, Rounded256};
use crate::buffer::Line;
use crate::float::lanes::Lanes;
use crate::format::Format;
use crate::panel::Panel;
use crate::tile::{self, LANES};

/// The codes of a tile, packed or unpacked.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    lines: &'a [Line],
    per_block: usize,
    is_packed: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn packed(format: Format, lines: &'a [Line]) -> Self {
        Self { lines, per_block: tile::code_lines(format), is_packed: true }
    }

    fn unpacked(panel: &'a Panel) -> Self {
        let lines = panel.codes.as_flattened();
        Self { lines, per_block: panel.codes[0].len(), is_packed: false }
    }

    /// Returns the lines of one block; packed ones come from memory, so that those after them are asked for.
    #[inline(always)]
    fn block<V: Vectors>(self, index: usize) -> *const Line {
        let lines = &self.lines[index * self.per_block..(index + 1) * self.per_block];
        if self.is_packed {
            for line in lines {
                V::Floats::prefetch((&raw const *line).wrapping_add(LINES_AHEAD).cast());
            }
        }
        lines.as_ptr()
    }
}

/// Adds the products of a panel and 256 columns of some rows, rounded with a scale per 256, to those rows' sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_256<V: Vectors>(
    format: Format,
    panel: &Panel,
    inputs: &[Rounded256],
    sums: &mut [[f32; LANES]],
) {
    let codes = Blocks::unpacked(panel);
    // SAFETY: the caller vouches for the instructions, and panels hold bytes.
    unsafe {
        match format {
            Format::Q2K => rows_256::<V, Unpacked<4>, true, true>(format, codes, panel, inputs, sums),
            Format::Q3K => rows_256::<V, Unpacked<4>, true, false>(format, codes, panel, inputs, sums),
            Format::Q4K => rows_256::<V, Unpacked<4>, false, true>(format, codes, panel, inputs, sums),
            Format::Q5K => rows_256::<V, Unpacked<5>, false, true>(format, codes, panel, inputs, sums),
            Format::Q6K => rows_256::<V, Unpacked<6>, true, false>(format, codes, panel, inputs, sums),
            _ => rows_256::<V, Unpacked<8>, false, false>(format, codes, panel, inputs, sums),
        }
    }
}

/// Adds the products of a panel and its columns of some rows, rounded with a scale per 32, to those rows' sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn accumulate_32<V: Vectors>(
    format: Format,
    panel: &Panel,
    inputs: &[Rounded32],
    sums: &mut [[f32; LANES]],
) {
    let codes = Blocks::unpacked(panel);
    // SAFETY: the caller vouches for the instructions, and panels hold bytes.
    unsafe {
        match format {
            Format::Q4_0 => rows_32::<V, Unpacked<4>, false>(format, codes, panel, inputs, sums),
            Format::Q4_1 => rows_32::<V, Unpacked<4>, true>(format, codes, panel, inputs, sums),
            Format::Q5_0 => rows_32::<V, Unpacked<5>, false>(format, codes, panel, inputs, sums),
            Format::Q5_1 => rows_32::<V, Unpacked<5>, true>(format, codes, panel, inputs, sums),
            _ => rows_32::<V, Unpacked<8>, false>(format, codes, panel, inputs, sums),
        }
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be blocks of `C`.
#[inline(always)]
pub(super) unsafe fn rows_256<V: Vectors, C: Codes, const HALVES: bool, const MINIMA: bool>(
    format: Format,
    codes: Blocks<'_>,
    panel: &Panel,
    inputs: &[Rounded256],
    sums: &mut [[f32; LANES]],
) {
    // Formats with minima have no offset.
    let start = tile::start(format).unwrap_or(0);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_256::<V, C, HALVES, MINIMA, 4>(start, codes, panel, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_256::<V, C, HALVES, MINIMA, 1>(start, codes, panel, input, sums) };
    }
}

/// Splits rows into as many as registers hold.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be blocks of `C`.
#[inline(always)]
pub(super) unsafe fn rows_32<V: Vectors, C: Codes, const MINIMA: bool>(
    format: Format,
    codes: Blocks<'_>,
    panel: &Panel,
    inputs: &[Rounded32],
    sums: &mut [[f32; LANES]],
) {
    // Formats with minima have no offset.
    let start = tile::start(format).unwrap_or(0);
    let (fours, rest) = inputs.as_chunks::<4>();
    let (sums_of_fours, sums_of_rest) = sums.as_chunks_mut::<4>();
    for (inputs, sums) in fours.iter().zip(sums_of_fours) {
        // SAFETY: the caller vouches for all of it.
        unsafe { tile_32::<V, C, MINIMA, 4>(start, codes, panel, inputs, sums) };
    }
    for (input, sums) in rest.as_chunks().0.iter().zip(sums_of_rest.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { tile_32::<V, C, MINIMA, 1>(start, codes, panel, input, sums) };
    }
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be blocks of `C`.
#[inline(always)]
unsafe fn tile_256<V: Vectors, C: Codes, const HALVES: bool, const MINIMA: bool, const ROWS: usize>(
    start: usize,
    codes: Blocks<'_>,
    panel: &Panel,
    inputs: &[Rounded256; ROWS],
    sums: &mut [[f32; LANES]; ROWS],
) {
    // SAFETY: the caller vouches for the instructions.
    let mut tile_sums = [unsafe { V::Floats::zero() }; ROWS];
    for block in 0..panel.blocks {
        let block = black_box(block);
        let lines = codes.block::<V>(block);
        for half in 0..if HALVES { 2 } else { 1 } {
            let (sub, group) = if HALVES { (2 * block + half, 4 * half) } else { (block, 0) };
            let mut x = [std::ptr::null(); ROWS];
            let mut starts = [0; ROWS];
            for row in 0..ROWS {
                x[row] = inputs[row].codes[8 * block + group..].as_ptr();
                starts[row] = if MINIMA { 0 } else { inputs[row].starts[start][sub] };
            }
            // SAFETY: the caller vouches for the instructions and the lines; `x` points to at least as many words as
            // there are groups from `group` on.
            let products = unsafe {
                if HALVES {
                    V::products::<C, 4, ROWS>(lines, group, x, starts)
                } else {
                    V::products::<C, 8, ROWS>(lines, group, x, starts)
                }
            };
            // SAFETY: the caller vouches for the instructions.
            let scale = unsafe { V::Floats::load(panel.scales[sub].as_ptr()) };
            for row in 0..ROWS {
                tile_sums[row] = tile_sums[row].plus_product(products[row].to_floats(), scale);
            }
        }
    }
    for row in 0..ROWS {
        let input = &inputs[row];
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
            tile_sums[row] = tile_sums[row].minus_product(minimum.to_floats(), floor);
        }
        // SAFETY: as above; sums have sixteen floats.
        unsafe {
            let scale = V::Floats::splat(&raw const input.scale);
            let sum = V::Floats::load(sums[row].as_ptr()).plus_product(tile_sums[row], scale);
            sum.store(sums[row].as_mut_ptr());
        }
    }
}

/// Adds the products of a tile and `ROWS` rows.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be blocks of `C`.
#[inline(always)]
unsafe fn tile_32<V: Vectors, C: Codes, const MINIMA: bool, const ROWS: usize>(
    start: usize,
    codes: Blocks<'_>,
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
        let lines = codes.block::<V>(block);
        let mut x = [std::ptr::null(); ROWS];
        let mut starts = [0; ROWS];
        for row in 0..ROWS {
            x[row] = inputs[row].codes[8 * block..].as_ptr();
            starts[row] = if MINIMA { 0 } else { inputs[row].starts[start][block] };
        }
        // SAFETY: the caller vouches for the instructions and the lines; `x` points to the eight words of a block.
        let products = unsafe { V::products::<C, 8, ROWS>(lines, 0, x, starts) };
        // SAFETY: the caller vouches for the instructions.
        let (scale, floor) = unsafe {
            (V::Floats::load(panel.scales[block].as_ptr()), V::Floats::load(panel.floors[block].as_ptr()))
        };
        for row in 0..ROWS {
            let input = &inputs[row];
            // SAFETY: as above.
            let x_scale = unsafe { V::Floats::splat(&raw const input.scales[block]) };
            totals[row] = totals[row].plus_product(products[row].to_floats(), scale.times(x_scale));
            if MINIMA {
                // SAFETY: as above.
                let x_sum = unsafe { V::Floats::splat(&raw const input.sums[block]) };
                totals[row] = totals[row].plus_product(floor, x_sum);
            }
        }
    }
    for row in 0..ROWS {
        // SAFETY: sums have sixteen floats.
        unsafe { totals[row].store(sums[row].as_mut_ptr()) };
    }
}

/// How far ahead of their use weights are asked for, in lines: about two tiles.
const LINES_AHEAD: usize = 80;
