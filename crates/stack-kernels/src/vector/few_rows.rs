//! Products for few rows of activations, straight from the tiles.

use super::codes::{FiveBits, Nibbles, SixBits, ThreeBits, TinyFloats, TwoBits, Uneven, Unpacked};
use super::multiply::{Blocks, rows_32, rows_256};
use super::{Vectors, scales};
use crate::activations::{Held, Rounded32, Rounded256};
use crate::buffer::Line;
use crate::format::Format;
use crate::multiply::Work;
use crate::panel::Panel;
use crate::tile::{self, LANES};

/// Adds the products to the rows' sums, if rows are few, and says whether they were.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn few_rows<V: Vectors>(
    work: &Work<'_>,
    panel: &mut Panel,
    sums: &mut [[f32; LANES]],
) -> bool {
    if work.rows.len() > ROWS || work.rows.is_empty() {
        return false;
    }
    let format = work.weights.format();
    for (index, place) in tile::tiles(format, work.weights.cols()).enumerate() {
        let inputs = work.inputs(index);
        let lines = &work.lines()[place.lines];
        let (codes, scale_lines) = lines.split_at(place.blocks * tile::code_lines(format));
        let codes = Blocks::packed(format, codes);
        // SAFETY: the caller vouches for the instructions, and the codes are those of the format.
        unsafe {
            scales::unpack::<V>(format, Line::bytes(scale_lines), place.blocks, panel);
            match &work.input.held {
                Held::Block256(held) => packed_256::<V>(format, codes, panel, &held[inputs], sums),
                Held::Block32(held) => packed_32::<V>(format, codes, panel, &held[inputs], sums),
                Held::Float(_) => unreachable!("floats have no tiles"),
            }
        }
    }
    true
}

/// Adds the products of a packed tile whose activations have a scale per 256.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be those of the format.
#[inline(always)]
unsafe fn packed_256<V: Vectors>(
    format: Format,
    codes: Blocks<'_>,
    panel: &Panel,
    inputs: &[Rounded256],
    sums: &mut [[f32; LANES]],
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match format {
            Format::Q2K => rows_256::<V, TwoBits, true, true>(format, codes, panel, inputs, sums),
            Format::Q3K => rows_256::<V, ThreeBits, true, false>(format, codes, panel, inputs, sums),
            Format::Q4K => rows_256::<V, Nibbles, false, true>(format, codes, panel, inputs, sums),
            Format::Q5K => rows_256::<V, FiveBits, false, true>(format, codes, panel, inputs, sums),
            Format::Q6K => rows_256::<V, SixBits, true, false>(format, codes, panel, inputs, sums),
            _ => rows_256::<V, Uneven, false, false>(format, codes, panel, inputs, sums),
        }
    }
}

/// Adds the products of a packed tile whose activations have a scale per 32.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and `codes` must be those of the format.
#[inline(always)]
unsafe fn packed_32<V: Vectors>(
    format: Format,
    codes: Blocks<'_>,
    panel: &Panel,
    inputs: &[Rounded32],
    sums: &mut [[f32; LANES]],
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match format {
            Format::Q4_0 => rows_32::<V, Nibbles, false>(format, codes, panel, inputs, sums),
            Format::Q4_1 => rows_32::<V, Nibbles, true>(format, codes, panel, inputs, sums),
            Format::Q5_0 => rows_32::<V, FiveBits, false>(format, codes, panel, inputs, sums),
            Format::Q5_1 => rows_32::<V, FiveBits, true>(format, codes, panel, inputs, sums),
            Format::Q8_0 => rows_32::<V, Unpacked<8>, false>(format, codes, panel, inputs, sums),
            Format::Mxfp4 => rows_32::<V, TinyFloats, false>(format, codes, panel, inputs, sums),
            _ => rows_32::<V, Uneven, false>(format, codes, panel, inputs, sums),
        }
    }
}

/// The most rows for which unpacking a tile once does not pay.
const ROWS: usize = 3;
