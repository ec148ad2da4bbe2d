//! From packed rows back to floats.

use crate::buffer::Line;
use crate::float;
use crate::format::Format;
use crate::tile::{self, BLOCK, TILE, quants, scales};

/// Writes one row of a group as floats.
pub(crate) fn row(format: Format, group: &[Line], lane: usize, out: &mut [f32]) {
    if tile::quant_lines(format) == 0 {
        return float::pack::row(format, group, lane, out);
    }
    for (tile, out) in tile::tiles(format, out.len()).zip(out.chunks_mut(TILE)) {
        let (lines, scale_bytes) = tile::split(format, &group[tile.lines.clone()], tile.blocks);
        let blocks = lines.chunks_exact(tile::quant_lines(format)).zip(out.as_chunks_mut::<BLOCK>().0);
        for (block, (lines, out)) in blocks.enumerate() {
            let groups = quants::of_lane(format, lines, lane);
            let dmin = scales::dmin(format, scale_bytes, tile.blocks, block, lane);
            let per_block = if tile::has_halves(format) { 2 } else { 1 };
            let subs = out.chunks_exact_mut(BLOCK / per_block).zip(groups.chunks_exact(8 / per_block));
            for (sub, (out, groups)) in subs.enumerate() {
                let sub = block * per_block + sub;
                let scale = scales::scale(format, scale_bytes, sub, lane);
                let min = match format {
                    Format::Q4_1 | Format::Q5_1 => -dmin,
                    _ => dmin * f32::from(scales::min(format, scale_bytes, sub, lane)),
                };
                for (out, group) in out.as_chunks_mut::<4>().0.iter_mut().zip(groups) {
                    *out = group
                        .to_le_bytes()
                        .map(|quant| scale * (i32::from(quant) - tile::zero_point(format)) as f32 - min);
                }
            }
        }
    }
}
