//! The scales of blocks, from the file's order to the tile's.

use crate::format::Format;
use crate::tile::LANES;

/// Writes the scales of one row's blocks into its lane of a tile's scales.
#[inline]
pub(super) fn pack(format: Format, native: &[u8], lane: usize, blocks: usize, out: &mut [u8]) {
    match format {
        Format::Q4K | Format::Q5K => {
            let packed = &native[4..16];
            for sub in 0..8 {
                let (scale, min) = six_bit_pair(packed, sub);
                out[LANES * sub + lane] = scale;
                out[128 + 32 * (sub / 2) + 2 * lane + sub % 2] = min;
            }
            half(native, 0, out, 256, lane);
            half(native, 2, out, 288, lane);
        }
        Format::Q2K => {
            for sub in 0..16 {
                out[32 * (sub / 2) + 2 * lane + sub % 2] = native[sub];
            }
            half(native, 80, out, 256, lane);
            half(native, 82, out, 288, lane);
        }
        Format::Q6K => {
            for sub in 0..16 {
                out[LANES * sub + lane] = native[192 + sub];
            }
            half(native, 208, out, 256, lane);
        }
        Format::Q3K => {
            let packed = &native[96..108];
            for sub in 0..16 {
                let low = packed[sub % 8] >> (4 * (sub / 8)) & 15;
                let high = packed[8 + sub % 4] >> (2 * (sub / 4)) & 3;
                out[LANES * sub + lane] = (low | high << 4).wrapping_sub(32);
            }
            half(native, 108, out, 256, lane);
        }
        Format::Iq4Xs => {
            let highs = u16::from_le_bytes([native[2], native[3]]);
            for sub in 0..8 {
                let low = native[4 + sub / 2] >> (4 * (sub % 2)) & 15;
                let high = (highs >> (2 * sub) & 3) as u8;
                out[LANES * sub + lane] = (low | high << 4).wrapping_sub(32);
            }
            half(native, 0, out, 128, lane);
        }
        Format::Mxfp4 => {
            for block in 0..blocks {
                out[LANES * block + lane] = native[17 * block];
            }
        }
        _ => {
            for (block, native) in native.chunks_exact(format.block_bytes()).enumerate() {
                half(native, 0, out, 32 * block, lane);
                if matches!(format, Format::Q4_1 | Format::Q5_1) {
                    half(native, 2, out, 32 * (blocks + block), lane);
                }
            }
        }
    }
}

/// Copies a number of two bytes into a lane of sixteen that begin at `to`.
#[inline]
fn half(native: &[u8], from: usize, out: &mut [u8], to: usize, lane: usize) {
    out[to + 2 * lane] = native[from];
    out[to + 2 * lane + 1] = native[from + 1];
}

/// Unpacks the six-bit scale and min of one of eight sub-blocks from twelve bytes.
#[inline]
fn six_bit_pair(packed: &[u8], sub: usize) -> (u8, u8) {
    if sub < 4 {
        return (packed[sub] & 63, packed[sub + 4] & 63);
    }
    let low = packed[sub + 4];
    (low & 15 | packed[sub - 4] >> 6 << 4, low >> 4 | packed[sub] >> 6 << 4)
}
