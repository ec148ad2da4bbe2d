//! From the blocks of a file to tiles, and back to floats.

mod native;
mod row;
mod scales;

pub(crate) use row::row;

use crate::buffer::Line;
use crate::float;
use crate::format::Format;
use crate::tile::quants::{LOW_1, LOW_2, LOW_4};
use crate::tile::{self, BLOCK, LANES, TILE};

/// Packs up to sixteen whole rows into the lines of their group, which must be zero.
///
/// # Panics
///
/// When `lines` are not those of so many columns.
pub(crate) fn pack(format: Format, columns: usize, rows: &[u8], lines: &mut [Line]) {
    assert_eq!(lines.len(), tile::group_lines(format, columns), "lines of {columns} columns of {format}");
    let row_bytes = columns / format.block() * format.block_bytes();
    debug_assert!(rows.len() <= LANES * row_bytes);
    match format {
        Format::F32 | Format::F16 | Format::Bf16 => float::pack::pack(format, rows, row_bytes, lines),
        _ => {
            // A tile stays in the nearest cache while its sixteen rows are written.
            let tile_bytes = TILE / format.block() * format.block_bytes();
            for (index, tile) in tile::tiles(format, columns).enumerate() {
                let bytes = tile.blocks * BLOCK / format.block() * format.block_bytes();
                for (lane, row) in rows.chunks_exact(row_bytes).enumerate() {
                    let native = &row[index * tile_bytes..][..bytes];
                    pack_tile(format, native, lane, tile.blocks, &mut lines[tile.lines.clone()]);
                }
            }
        }
    }
}

/// Packs the blocks of one row into one lane of a tile.
fn pack_tile(format: Format, native: &[u8], lane: usize, blocks: usize, tile: &mut [Line]) {
    let per_block = tile::quant_lines(format);
    let (quants, scales) = tile.split_at_mut(blocks * per_block);
    for (block, lines) in quants.chunks_exact_mut(per_block).enumerate() {
        encode(format, native::quants(format, native, block), lane, lines);
    }
    scales::pack(format, native, lane, blocks, Line::bytes_mut(scales));
}

/// Writes the quants of a block, given as eight groups of four bytes.
#[inline]
fn encode(format: Format, groups: [u32; 8], lane: usize, lines: &mut [Line]) {
    match format {
        Format::Q8_0 => {
            for (line, group) in lines.iter_mut().zip(groups) {
                line.set_lane(lane, group);
            }
        }
        Format::Q6K => {
            for (lines, half) in lines.as_chunks_mut::<3>().0.iter_mut().zip(groups.as_chunks::<4>().0) {
                let last = half[3];
                lines[0].set_lane(lane, half[0] | (last & LOW_2) << 6);
                lines[1].set_lane(lane, half[1] | (last >> 2 & LOW_2) << 6);
                lines[2].set_lane(lane, half[2] | (last >> 4 & LOW_2) << 6);
            }
        }
        Format::Q2K | Format::Q3K => {
            for (line, half) in lines.iter_mut().zip(groups.as_chunks::<4>().0) {
                let pairs = half.map(|group| group & LOW_2);
                line.set_lane(lane, pairs[0] | pairs[1] << 2 | pairs[2] << 4 | pairs[3] << 6);
            }
            if let Some(line) = lines.get_mut(2) {
                line.set_lane(lane, bit_of_each(groups, 2));
            }
        }
        _ => {
            for (line, pair) in lines.iter_mut().zip(groups.as_chunks::<2>().0) {
                line.set_lane(lane, pair[0] & LOW_4 | (pair[1] & LOW_4) << 4);
            }
            if let Some(line) = lines.get_mut(4) {
                line.set_lane(lane, bit_of_each(groups, 4));
            }
        }
    }
}

/// Collects one bit of each group: that of group *g* becomes bit *g*.
#[inline]
fn bit_of_each(groups: [u32; 8], bit: u32) -> u32 {
    groups.iter().enumerate().fold(0, |bits, (g, group)| bits | (group >> bit & LOW_1) << g)
}
