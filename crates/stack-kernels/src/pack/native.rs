//! The quants of blocks as files have them, four columns at a time.

use crate::format::Format;
use crate::tile::quants::{LOW_1, LOW_2, LOW_4};

/// Returns the quants of 32 columns as eight groups of four bytes, offset so that none is negative.
///
/// `native` are the blocks of one row in one tile, `block` counts 32 columns each.
#[inline]
pub(super) fn quants(format: Format, native: &[u8], block: usize) -> [u32; 8] {
    match format {
        Format::Q4_0 | Format::Iq4Nl => nibbles_of_32(&native[18 * block + 2..]),
        Format::Q4_1 => nibbles_of_32(&native[20 * block + 4..]),
        Format::Q5_0 => five_bits_of_32(&native[22 * block + 2..]),
        Format::Q5_1 => five_bits_of_32(&native[24 * block + 4..]),
        Format::Mxfp4 => nibbles_of_32(&native[17 * block + 1..]),
        Format::Q8_0 => words(&native[34 * block + 2..]).map(|word| word ^ 0x8080_8080),
        Format::Iq4Xs => nibbles_of_32(&native[8 + 16 * block..]),
        Format::Q4K => nibbles_of_64(&native[16..], block),
        Format::Q5K => {
            let mut groups = nibbles_of_64(&native[48..], block);
            for (group, high) in groups.iter_mut().zip(words::<8>(&native[16..])) {
                *group |= (high >> block & LOW_1) << 4;
            }
            groups
        }
        Format::Q6K => {
            let (half, part) = (block / 4, block % 4);
            let mut groups = words(&native[64 * half + 32 * (part % 2)..]);
            for (group, high) in groups.iter_mut().zip(words::<8>(&native[128 + 32 * half..])) {
                *group = (*group >> (4 * (part / 2)) & LOW_4) | (high >> (2 * part) & LOW_2) << 4;
            }
            groups
        }
        Format::Q2K => two_bits(&native[16..], block),
        Format::Q3K => {
            let mut groups = two_bits(&native[32..], block);
            for (group, high) in groups.iter_mut().zip(words::<8>(native)) {
                *group |= (high >> block & LOW_1) << 2;
            }
            groups
        }
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("floats have no quants"),
    }
}

/// Sixteen bytes: low nibbles are columns 0 to 15, high ones 16 to 31.
#[inline]
fn nibbles_of_32(bytes: &[u8]) -> [u32; 8] {
    let [a, b, c, d] = words(bytes);
    [a, b, c, d, a >> 4, b >> 4, c >> 4, d >> 4].map(|word| word & LOW_4)
}

/// As [`nibbles_of_32`], after a word whose bit *e* is the fifth bit of column *e*.
#[inline]
fn five_bits_of_32(bytes: &[u8]) -> [u32; 8] {
    let [high] = words(bytes);
    let mut groups = nibbles_of_32(&bytes[4..]);
    for (g, group) in groups.iter_mut().enumerate() {
        // The product puts bit n of four at bit 8n.
        *group |= ((high >> (4 * g) & 15).wrapping_mul(0x0020_4081) & LOW_1) << 4;
    }
    groups
}

/// 32 bytes for two blocks: low nibbles are the even one, high nibbles the odd one.
#[inline]
fn nibbles_of_64(bytes: &[u8], block: usize) -> [u32; 8] {
    words(&bytes[32 * (block / 2)..]).map(|word: u32| word >> (4 * (block % 2)) & LOW_4)
}

/// 32 bytes for four blocks, one in each pair of bits.
#[inline]
fn two_bits(bytes: &[u8], block: usize) -> [u32; 8] {
    words(&bytes[32 * (block / 4)..]).map(|word: u32| word >> (2 * (block % 4)) & LOW_2)
}

#[inline]
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes[..4 * N].as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}
