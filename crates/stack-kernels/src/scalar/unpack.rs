//! From packed tiles to unpacked ones.

use crate::buffer::Line;
use crate::format::Format;
use crate::tile::{self, LANES, quants, scales};
use crate::unpacked_tile::UnpackedTile;

/// Unpacks a tile of so many blocks.
pub(crate) fn unpack(format: Format, tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile) {
    let (lines, scale_bytes) = tile::split(format, tile, blocks);
    unpacked.blocks = blocks;
    for (block, lines) in lines.chunks_exact(tile::quant_lines(format)).enumerate() {
        for lane in 0..LANES {
            for (line, group) in unpacked.quants[block].iter_mut().zip(quants::of_lane(format, lines, lane)) {
                line.set_lane(lane, group);
            }
            unpacked.dmins[block][lane] = scales::dmin(format, scale_bytes, blocks, block, lane);
        }
    }
    for sub in 0..subs(format, blocks) {
        for lane in 0..LANES {
            unpacked.scales[sub][lane] = scales::scale(format, scale_bytes, sub, lane);
            let min = i32::from(scales::min(format, scale_bytes, sub, lane));
            let pair = &mut unpacked.mins[sub / 2][lane];
            *pair = if sub % 2 == 0 { min } else { *pair | min << 16 };
        }
    }
}

/// The scales of so many blocks.
fn subs(format: Format, blocks: usize) -> usize {
    if tile::has_halves(format) { 2 * blocks } else { blocks }
}
