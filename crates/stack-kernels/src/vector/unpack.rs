//! From tiles to panels.

use super::codes::{Codes, with_codes};
use super::{Bytes, Vectors, scales};
use crate::buffer::Line;
use crate::format::Format;
use crate::panel::Panel;
use crate::tile;

/// Unpacks a tile of so many blocks.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
///
/// # Panics
///
/// When the tile is too short.
#[inline(always)]
pub(crate) unsafe fn unpack<V: Vectors>(format: Format, tile: &[Line], blocks: usize, panel: &mut Panel) {
    let (lines, scale_lines) = tile.split_at(blocks * tile::code_lines(format));
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        scales::unpack::<V>(format, Line::bytes(scale_lines), blocks, panel);
        with_codes!(format, C => codes::<V, C>(lines, tile::code_lines(format), panel));
    }
}

/// Unpacks the codes of blocks, each of so many lines.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and so many lines must be a block of `C`.
#[inline(always)]
unsafe fn codes<V: Vectors, C: Codes>(lines: &[Line], per_block: usize, panel: &mut Panel) {
    for (block, lines) in lines.chunks_exact(per_block).enumerate() {
        for (group, line) in panel.codes[block].iter_mut().enumerate() {
            // SAFETY: `lines` are those of a block, of which there are eight groups.
            unsafe { C::group::<V::Bytes>(lines.as_ptr(), group).store(line) };
        }
    }
}
