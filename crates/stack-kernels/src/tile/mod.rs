//! The layout of packed weights.
//!
//! Sixteen output rows go together, so that one vector lane is one row and no sum ever crosses lanes. Along the
//! columns, a *group* is four consecutive ones: 16 rows × 4 columns are 64 bytes, the operand of an integer dot
//! product. A *block* is 32 columns, a *tile* 256: eight blocks, or fewer at the end of a row.
//!
//! A tile of a quantized format holds the quants of each block in turn, then their scales:
//!
//! | quants of a block | lines | content, byte by byte |
//! | --- | --: | --- |
//! | nibbles | 4 | line *n*: group 2*n* in the low nibbles, 2*n* + 1 in the high ones |
//! | five bits | 5 | as nibbles, then a line whose bit *g* is the fifth bit of group *g* |
//! | six bits | 6 | per half: groups 0, 1, 2 in the low six bits; group 3 two bits each in the top bits of those |
//! | bytes | 8 | a group each, 128 added |
//! | two bits | 2 | per half: group *g* in bits 2*g* |
//! | three bits | 3 | as two bits, then a line whose bit *g* is the third bit of group *g* |
//!
//! | scales of a tile | content |
//! | --- | --- |
//! | `Q4_K`, `Q5_K` | u8 scale \[8]\[16], u8 min \[4]\[16]\[2], f16 d \[16], f16 dmin \[16] |
//! | `Q2_K` | low nibble scale, high nibble min \[8]\[16]\[2], f16 d \[16], f16 dmin \[16] |
//! | `Q6_K`, `Q3_K` | i8 scale \[16]\[16], f16 d \[16] |
//! | `IQ4_XS` | i8 scale \[8]\[16], f16 d \[16] |
//! | `Q4_0`, `Q5_0`, `Q8_0`, `IQ4_NL` | f16 d \[blocks]\[16] |
//! | `Q4_1`, `Q5_1` | f16 d \[blocks]\[16], f16 m \[blocks]\[16] |
//! | MXFP4 | u8 exponent \[blocks]\[16] |
//!
//! Floats have no tiles: F32 and F16 are \[column]\[16], BF16 is \[pair of columns]\[16]\[2]. An odd last column of
//! 16-bit floats is followed by zeros.

pub(crate) mod quants;
pub(crate) mod scales;

use std::ops::Range;

use crate::buffer::Line;
use crate::format::Format;

/// Output rows that lie side by side.
pub(crate) const LANES: usize = 16;

/// Columns of a tile.
pub(crate) const TILE: usize = 256;

/// Columns of a block.
pub(crate) const BLOCK: usize = 32;

/// Lines of the quants of one block.
pub(crate) fn quant_lines(format: Format) -> usize {
    match format {
        Format::Q4_0 | Format::Q4_1 | Format::Q4K | Format::Iq4Nl | Format::Iq4Xs | Format::Mxfp4 => 4,
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => 5,
        Format::Q6K => 6,
        Format::Q8_0 => 8,
        Format::Q2K => 2,
        Format::Q3K => 3,
        Format::F32 | Format::F16 | Format::Bf16 => 0,
    }
}

/// Lines of a tile of so many blocks.
pub(crate) fn tile_lines(format: Format, blocks: usize) -> usize {
    let scale_bytes = match format {
        Format::Q4K | Format::Q5K | Format::Q2K => 320,
        Format::Q6K | Format::Q3K => 288,
        Format::Iq4Xs => 160,
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl => 32 * blocks,
        Format::Q4_1 | Format::Q5_1 => 64 * blocks,
        Format::Mxfp4 => 16 * blocks,
        Format::F32 | Format::F16 | Format::Bf16 => 0,
    };
    quant_lines(format) * blocks + usize::div_ceil(scale_bytes, 64)
}

/// The zero point of a format: its quants are stored with this added, so that none is negative.
pub(crate) fn zero_point(format: Format) -> i32 {
    match format {
        Format::Q3K => 4,
        Format::Q4_0 => 8,
        Format::Q5_0 => 16,
        Format::Q6K => 32,
        Format::Q8_0 | Format::Iq4Nl | Format::Iq4Xs | Format::Mxfp4 => 128,
        _ => 0,
    }
}

/// The index of the activations' compensation for the zero point of a format, if it has one.
pub(crate) fn compensation(format: Format) -> Option<usize> {
    match zero_point(format) {
        4 | 8 => Some(0),
        16 | 32 => Some(1),
        128 => Some(2),
        _ => None,
    }
}

/// Whether each half of a block has its own scale.
pub(crate) fn has_halves(format: Format) -> bool {
    matches!(format, Format::Q2K | Format::Q3K | Format::Q6K)
}

/// Whether scales come with mins.
pub(crate) fn has_mins(format: Format) -> bool {
    matches!(format, Format::Q4_1 | Format::Q5_1 | Format::Q2K | Format::Q4K | Format::Q5K)
}

/// Lines of sixteen rows of so many columns.
#[inline]
pub(crate) fn group_lines(format: Format, columns: usize) -> usize {
    match format {
        Format::F32 => columns,
        Format::F16 | Format::Bf16 => columns.div_ceil(2),
        _ => {
            let rest = columns % TILE / BLOCK;
            let last = if rest == 0 { 0 } else { tile_lines(format, rest) };
            columns / TILE * tile_lines(format, TILE / BLOCK) + last
        }
    }
}

/// One tile within the lines of its sixteen rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TileLines {
    /// Its lines.
    pub(crate) lines: Range<usize>,
    /// Its blocks: eight, unless it is the last.
    pub(crate) blocks: usize,
}

/// Iterates over the tiles of sixteen rows of so many columns.
pub(crate) fn tiles(format: Format, columns: usize) -> impl DoubleEndedIterator<Item = TileLines> {
    let full = tile_lines(format, TILE / BLOCK);
    (0..columns.div_ceil(TILE)).map(move |tile| {
        let blocks = (columns - tile * TILE).min(TILE) / BLOCK;
        let first = tile * full;
        TileLines { lines: first..first + tile_lines(format, blocks), blocks }
    })
}

/// Splits a tile into the lines of its quants and the bytes of its scales.
pub(crate) fn split(format: Format, tile: &[Line], blocks: usize) -> (&[Line], &[u8]) {
    let (quants, scales) = tile.split_at(blocks * quant_lines(format));
    (quants, Line::bytes(scales))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_take_about_as_many_bits_as_the_file() {
        let bytes = |format| 64 * tile_lines(format, 8);
        let expected = [
            (Format::Q4K, 2368),
            (Format::Q5K, 2880),
            (Format::Q6K, 3392),
            (Format::Q8_0, 4352),
            (Format::Q4_0, 2304),
            (Format::Q4_1, 2560),
            (Format::Q5_0, 2816),
            (Format::Q5_1, 3072),
            (Format::Iq4Nl, 2304),
            (Format::Iq4Xs, 2240),
            (Format::Mxfp4, 2176),
            (Format::Q2K, 1344),
            (Format::Q3K, 1856),
        ];
        for (format, size) in expected {
            assert_eq!(bytes(format), size, "{format}");
        }
    }

    #[test]
    fn last_tile_has_the_rest_of_the_blocks() {
        let tiles: Vec<_> = tiles(Format::Q4_0, 256 + 96).collect();
        assert_eq!(tiles[0], TileLines { lines: 0..36, blocks: 8 });
        assert_eq!(tiles[1], TileLines { lines: 36..36 + 14, blocks: 3 });
        assert_eq!(group_lines(Format::Q4_0, 256 + 96), 50);
        assert_eq!(group_lines(Format::Q4_0, 512), 72);
    }
}
