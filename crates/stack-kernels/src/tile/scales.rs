//! The scales of packed blocks, one row at a time.

use half::f16;

use crate::format::Format;
use crate::tile::LANES;

/// Returns the scale of one row in a block, or in a half of a block where those have their own.
///
/// `scales` are the bytes of the tile after its quants, `sub` counts blocks or halves.
#[inline]
pub(crate) fn scale(format: Format, scales: &[u8], sub: usize, lane: usize) -> f32 {
    match format {
        Format::Q4K | Format::Q5K => half(scales, 256, lane) * f32::from(scales[LANES * sub + lane]),
        Format::Q2K => half(scales, 256, lane) * f32::from(pair_at(scales, 0, sub, lane) & 15),
        Format::Q6K | Format::Q3K => half(scales, 256, lane) * f32::from(scales[LANES * sub + lane] as i8),
        Format::Iq4Xs => half(scales, 128, lane) * f32::from(scales[LANES * sub + lane] as i8),
        Format::Mxfp4 => half_of_power(scales[LANES * sub + lane]),
        _ => half(scales, 32 * sub, lane),
    }
}

/// Returns the integer min of one row in a block or half, for the formats that scale it by [`dmin`].
#[inline]
pub(crate) fn min(format: Format, scales: &[u8], sub: usize, lane: usize) -> u8 {
    match format {
        Format::Q4K | Format::Q5K => pair_at(scales, 128, sub, lane),
        Format::Q2K => pair_at(scales, 0, sub, lane) >> 4,
        _ => 0,
    }
}

/// Returns the scale of the mins of a tile, or the number that a block adds to each weight.
#[inline]
pub(crate) fn dmin(format: Format, scales: &[u8], blocks: usize, block: usize, lane: usize) -> f32 {
    match format {
        Format::Q4K | Format::Q5K | Format::Q2K => half(scales, 288, lane),
        Format::Q4_1 | Format::Q5_1 => half(scales, 32 * (blocks + block), lane),
        _ => 0.0,
    }
}

/// Bytes that lie in pairs: those of two neighbours of one row, then of the next row.
#[inline]
fn pair_at(scales: &[u8], start: usize, sub: usize, lane: usize) -> u8 {
    scales[start + 2 * LANES * (sub / 2) + 2 * lane + sub % 2]
}

#[inline]
fn half(scales: &[u8], start: usize, lane: usize) -> f32 {
    let at = start + 2 * lane;
    f16::from_le_bytes([scales[at], scales[at + 1]]).to_f32()
}

/// Returns 2^(e − 128), half of what the exponent byte stands for.
#[inline]
fn half_of_power(exponent: u8) -> f32 {
    match exponent {
        // Below the normal numbers of f32.
        0 | 1 => f32::from_bits(0x0020_0000 << exponent),
        _ => f32::from_bits(u32::from(exponent - 1) << 23),
    }
}
