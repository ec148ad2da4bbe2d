//! From packed tiles to unpacked ones.

use super::quants::{Quants, with_quants};
use super::registers::Bytes;
use super::{Vectors, scales};
use crate::buffer::Line;
use crate::format::Format;
use crate::tile;
use crate::unpacked_tile::UnpackedTile;

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
pub(crate) unsafe fn unpack<V: Vectors>(
    format: Format,
    tile: &[Line],
    blocks: usize,
    unpacked: &mut UnpackedTile,
) {
    let (lines, scale_lines) = tile.split_at(blocks * tile::quant_lines(format));
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        scales::unpack::<V>(format, Line::bytes(scale_lines), blocks, unpacked);
        with_quants!(format, Q => quants::<V, Q>(lines, tile::quant_lines(format), unpacked));
    }
}

/// Unpacks the quants of blocks, each of so many lines.
///
/// # Safety
///
/// The processor must have the instructions of `V`, and so many lines must be a block of `Q`.
#[inline(always)]
unsafe fn quants<V: Vectors, Q: Quants>(lines: &[Line], per_block: usize, unpacked: &mut UnpackedTile) {
    for (block, lines) in lines.chunks_exact(per_block).enumerate() {
        for (group, line) in unpacked.quants[block].iter_mut().enumerate() {
            // SAFETY: `lines` are those of a block, of which there are eight groups.
            unsafe { Q::group::<V::Bytes>(lines.as_ptr(), group).store(line) };
        }
    }
}
