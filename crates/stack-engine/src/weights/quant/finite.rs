//! Finds numbers that are none. A block is a scale times small whole numbers, so only its scales are looked at.

use super::super::TensorType;
use super::{u16_at, u32_at};

/// Returns the first element of the first block with a number that is infinite or none, if there is one.
///
/// Most of the bytes pass through the cache for the packing anyway; the loops below are plain enough for the compiler to
/// make them wide.
pub fn first_not_finite(ty: TensorType, bytes: &[u8]) -> Option<usize> {
    let block = match ty {
        TensorType::F32 => elements::<4>(bytes, |word| u32::from_le_bytes(word) & F32 == F32),
        // Computed in single precision, where a larger number is infinite.
        TensorType::F64 => elements::<8>(bytes, |word| !(f64::from_le_bytes(word) as f32).is_finite()),
        TensorType::F16 => elements::<2>(bytes, |word| u16::from_le_bytes(word) & F16 == F16),
        TensorType::BF16 => elements::<2>(bytes, |word| u16::from_le_bytes(word) & BF16 == BF16),
        TensorType::Q4_0 | TensorType::IQ4_NL | TensorType::Q1_0 | TensorType::Q2_0 => {
            halves::<18, 1>(bytes, [0])
        }
        TensorType::Q4_1 => halves::<20, 2>(bytes, [0, 2]),
        TensorType::Q5_0 => halves::<22, 1>(bytes, [0]),
        TensorType::Q5_1 => halves::<24, 2>(bytes, [0, 2]),
        TensorType::Q8_0 => halves::<34, 1>(bytes, [0]),
        // Its second half is the sum of the first, for products only.
        TensorType::Q8_1 => halves::<36, 1>(bytes, [0]),
        TensorType::Q2_K => halves::<84, 2>(bytes, [80, 82]),
        TensorType::Q3_K => halves::<110, 1>(bytes, [108]),
        TensorType::Q4_K => halves::<144, 2>(bytes, [0, 2]),
        TensorType::Q5_K => halves::<176, 2>(bytes, [0, 2]),
        TensorType::Q6_K => halves::<210, 1>(bytes, [208]),
        // Its scale is so wide that a product of it can be infinite.
        TensorType::Q8_K => {
            blocks::<292>(bytes, |block| !(f32::from_bits(u32_at(block, 0)) * 128.0).is_finite())
        }
        TensorType::IQ1_S => halves::<50, 1>(bytes, [0]),
        TensorType::IQ1_M => blocks::<56>(bytes, |block| iq1_m_scale(block) & F16 == F16),
        TensorType::IQ2_XXS => halves::<66, 1>(bytes, [0]),
        TensorType::TQ2_0 => halves::<66, 1>(bytes, [64]),
        TensorType::IQ2_XS => halves::<74, 1>(bytes, [0]),
        TensorType::IQ2_S => halves::<82, 1>(bytes, [0]),
        TensorType::IQ3_XXS => halves::<98, 1>(bytes, [0]),
        TensorType::IQ3_S => halves::<110, 1>(bytes, [0]),
        TensorType::IQ4_XS => halves::<136, 1>(bytes, [0]),
        TensorType::TQ1_0 => halves::<54, 1>(bytes, [52]),
        TensorType::MXFP4 => blocks::<17>(bytes, |block| block[0] == 0xFF),
        TensorType::NVFP4 => blocks::<36>(bytes, |block| block[..4].iter().any(|scale| scale & 0x7F == 0x7F)),
        TensorType::I8 | TensorType::I16 | TensorType::I32 | TensorType::I64 => None,
    };
    block.map(|block| block * ty.block_elements())
}

/// Blocks with half-precision numbers at these places.
fn halves<const BYTES: usize, const N: usize>(bytes: &[u8], places: [usize; N]) -> Option<usize> {
    blocks::<BYTES>(bytes, |block| places.iter().any(|&at| u16_at(block, at) & F16 == F16))
}

fn blocks<const BYTES: usize>(bytes: &[u8], is_bad: impl Fn(&[u8; BYTES]) -> bool) -> Option<usize> {
    bytes.as_chunks::<BYTES>().0.iter().position(is_bad)
}

/// Single numbers: runs are judged without a branch for each number, so that the compiler can use wide instructions.
fn elements<const BYTES: usize>(bytes: &[u8], is_bad: impl Fn([u8; BYTES]) -> bool) -> Option<usize> {
    let numbers = bytes.as_chunks::<BYTES>().0;
    let is_bad_run = |run: &[[u8; BYTES]]| run.iter().fold(false, |bad, &number| bad | is_bad(number));
    let run = numbers.chunks(RUN).position(is_bad_run)?;
    numbers[run * RUN..].iter().position(|&number| is_bad(number)).map(|within| run * RUN + within)
}

/// The scale of an `IQ1_M` block lies in the upper bits of four words.
fn iq1_m_scale(block: &[u8; 56]) -> u16 {
    let word = |index: usize| u16_at(block, 48 + 2 * index);
    (word(0) >> 12) | (word(1) >> 8 & 0x00F0) | (word(2) >> 4 & 0x0F00) | (word(3) & 0xF000)
}

/// The exponents of infinities and of what is no number.
const F32: u32 = 0x7F80_0000;
const F16: u16 = 0x7C00;
const BF16: u16 = 0x7F80;

const RUN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::super::dequantize;
    use super::*;

    /// In every type, and at every byte of a block: whatever dequantizes to a number that is none is found, in the
    /// right block, and nothing else is.
    #[test]
    fn exactly_the_blocks_that_dequantize_to_no_number_are_found() {
        for ty in TensorType::ALL {
            let (size, elements) = (ty.block_bytes(), ty.block_elements());
            let mut found_some = false;
            for at in 0..size.saturating_sub(1).max(1) {
                for pattern in
                    [[0xFF, 0xFF], [0x00, 0x7C], [0x80, 0x7F], [0xF0, 0x7F], [0x7F, 0x7F], [0x00, 0x3C]]
                {
                    let mut bytes = vec![0x11; 3 * size];
                    for (byte, value) in bytes[size + at..2 * size].iter_mut().zip(pattern) {
                        *byte = value;
                    }
                    let mut values = vec![0.0; 3 * elements];
                    dequantize(ty, &bytes, &mut values).unwrap();
                    let expected = values.iter().any(|value| !value.is_finite());
                    let found = first_not_finite(ty, &bytes);
                    if matches!(ty, TensorType::NVFP4 | TensorType::MXFP4 | TensorType::Q8_K) {
                        // Their scales are refused although these small elements of the block come out finite.
                        assert!(!expected || found.is_some(), "{ty} byte {at}");
                    } else {
                        assert_eq!(found.is_some(), expected, "{ty} byte {at} pattern {pattern:x?}");
                    }
                    if let Some(element) = found {
                        assert_eq!(element, elements, "{ty}");
                        found_some = true;
                    }
                }
            }
            // The scale of IQ1_M lies in four words, so no two bytes side by side make it infinite.
            let stays_finite = matches!(
                ty,
                TensorType::I8 | TensorType::I16 | TensorType::I32 | TensorType::I64 | TensorType::IQ1_M
            );
            assert_eq!(found_some, !stays_finite, "{ty}");
        }
    }

    #[test]
    fn a_scale_that_is_spread_over_a_block_is_put_together() {
        let mut bytes = vec![0; 3 * 56];
        // The two upper nibbles of 0x7C00, infinity in half precision.
        (bytes[56 + 48 + 5], bytes[56 + 48 + 7]) = (0xC0, 0x70);
        let mut values = vec![0.0; 3 * 256];
        dequantize(TensorType::IQ1_M, &bytes, &mut values).unwrap();
        assert!(values[256..512].iter().all(|value| !value.is_finite()));
        assert_eq!(first_not_finite(TensorType::IQ1_M, &bytes), Some(256));
    }

    #[test]
    fn the_place_is_that_of_the_number() {
        for at in [0, 1, 1023, 1024, 5000] {
            let mut values = vec![1.0f32; 5001];
            values[at] = f32::NEG_INFINITY;
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(first_not_finite(TensorType::F32, &bytes), Some(at));
        }
    }
}
