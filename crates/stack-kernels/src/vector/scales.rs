//! Scales and mins of a tile as floats and integers, one for each row.

use super::Vectors;
use super::registers::Ints;
use crate::float::floats::Floats;
use crate::format::Format;
use crate::tile::LANES;
use crate::unpacked_tile::UnpackedTile;

/// Writes the scales and mins of a tile of so many blocks to an unpacked one; `bytes` are those after its quants.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
///
/// # Panics
///
/// When the tile is too short.
#[inline(always)]
pub(super) unsafe fn unpack<V: Vectors>(
    format: Format,
    bytes: &[u8],
    blocks: usize,
    unpacked: &mut UnpackedTile,
) {
    unpacked.blocks = blocks;
    // SAFETY: the caller vouches for the instructions; what is read is checked by `At`.
    unsafe {
        match format {
            Format::Q4K | Format::Q5K => {
                bytes_times_half::<V>(at(bytes, 0, 128), at(bytes, 256, 32), 8, unpacked);
                for (pair, mins) in unpacked.mins.iter_mut().enumerate().take(4) {
                    let pairs = V::Ints::load_halves(at(bytes, 128 + 32 * pair, 32).cast());
                    let low = pairs.and(V::Ints::splat(0xFF));
                    low.or(pairs.shr::<8>().shl::<16>()).store(mins.as_mut_ptr());
                }
                V::Floats::load_half(at(bytes, 288, 32).cast()).store(unpacked.dmins[0].as_mut_ptr());
            }
            Format::Q2K => {
                let scale = V::Floats::load_half(at(bytes, 256, 32).cast());
                let nibble = V::Ints::splat(0x0F);
                for pair in 0..8 {
                    let pairs = V::Ints::load_halves(at(bytes, 32 * pair, 32).cast());
                    let (even, odd) = (pairs.and(nibble), pairs.shr::<8>().and(nibble));
                    scale.mul(even.to_floats()).store(unpacked.scales[2 * pair].as_mut_ptr());
                    scale.mul(odd.to_floats()).store(unpacked.scales[2 * pair + 1].as_mut_ptr());
                    let low = pairs.shr::<4>().and(nibble);
                    low.or(pairs.shr::<12>().shl::<16>()).store(unpacked.mins[pair].as_mut_ptr());
                }
                V::Floats::load_half(at(bytes, 288, 32).cast()).store(unpacked.dmins[0].as_mut_ptr());
            }
            Format::Q6K | Format::Q3K => {
                signed_bytes_times_half::<V>(at(bytes, 0, 256), at(bytes, 256, 32), 16, unpacked);
            }
            Format::Iq4Xs => signed_bytes_times_half::<V>(at(bytes, 0, 128), at(bytes, 128, 32), 8, unpacked),
            Format::Mxfp4 => {
                for (block, scales) in unpacked.scales.iter_mut().enumerate().take(blocks) {
                    let exponents = V::Ints::load_bytes(at(bytes, LANES * block, LANES));
                    half_of_powers::<V>(exponents).store(scales.as_mut_ptr());
                }
            }
            _ => {
                for (block, scales) in unpacked.scales.iter_mut().enumerate().take(blocks) {
                    V::Floats::load_half(at(bytes, 32 * block, 32).cast()).store(scales.as_mut_ptr());
                }
                if matches!(format, Format::Q4_1 | Format::Q5_1) {
                    for (block, dmins) in unpacked.dmins.iter_mut().enumerate().take(blocks) {
                        let dmin = at(bytes, 32 * (blocks + block), 32);
                        V::Floats::load_half(dmin.cast()).store(dmins.as_mut_ptr());
                    }
                }
            }
        }
    }
}

/// Returns the address of some bytes.
#[inline(always)]
fn at(bytes: &[u8], start: usize, length: usize) -> *const u8 {
    bytes[start..start + length].as_ptr()
}

/// Multiplies `count` vectors of unsigned bytes with one of halves.
///
/// # Safety
///
/// The processor must have the instructions of `V`; so many vectors must be readable.
#[inline(always)]
unsafe fn bytes_times_half<V: Vectors>(
    bytes: *const u8,
    half: *const u8,
    count: usize,
    unpacked: &mut UnpackedTile,
) {
    // SAFETY: the caller vouches for 32 bytes.
    let scale = unsafe { V::Floats::load_half(half.cast()) };
    for (index, scales) in unpacked.scales.iter_mut().enumerate().take(count) {
        // SAFETY: the caller vouches for `count` times sixteen bytes.
        unsafe {
            let factor = V::Ints::load_bytes(bytes.add(LANES * index)).to_floats();
            scale.mul(factor).store(scales.as_mut_ptr());
        }
    }
}

/// Multiplies `count` vectors of signed bytes with one of halves.
///
/// # Safety
///
/// The processor must have the instructions of `V`; so many vectors must be readable.
#[inline(always)]
unsafe fn signed_bytes_times_half<V: Vectors>(
    bytes: *const u8,
    half: *const u8,
    count: usize,
    unpacked: &mut UnpackedTile,
) {
    // SAFETY: the caller vouches for 32 bytes.
    let scale = unsafe { V::Floats::load_half(half.cast()) };
    for (index, scales) in unpacked.scales.iter_mut().enumerate().take(count) {
        // SAFETY: the caller vouches for `count` times sixteen bytes.
        unsafe {
            let factor = V::Ints::load_signed_bytes(bytes.add(LANES * index).cast()).to_floats();
            scale.mul(factor).store(scales.as_mut_ptr());
        }
    }
}

/// Returns 2^(e − 128) for exponents from 0 to 255, the first two of which give subnormal numbers.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
unsafe fn half_of_powers<V: Vectors>(exponents: V::Ints) -> V::Floats {
    // SAFETY: the caller vouches for the instructions.
    let (minus_one, one, first) =
        unsafe { (V::Ints::splat(-1), V::Ints::splat(1), V::Ints::splat(0x0020_0000)) };
    let normal = exponents.add(minus_one).shl::<23>();
    // Less than any normal number, and right for 0 and 1.
    let subnormal = first.add(exponents.and(one).shl::<21>());
    normal.max(subnormal).as_floats()
}
