//! Rounding of activations, in plain Rust that becomes vectors where it is compiled for them.

use super::Vectors;
use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::tile::LANES;

/// Rounds 256 columns with one scale.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn quantize_q8_k<V: Vectors>(x: &[f32; 256], out: &mut BlockQ8K) {
    let (mut lows, mut highs) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    for x in x.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            lows[lane] = if x[lane] < lows[lane] { x[lane] } else { lows[lane] };
            highs[lane] = if x[lane] > highs[lane] { x[lane] } else { highs[lane] };
        }
    }
    let low = lows.into_iter().fold(f32::INFINITY, f32::min);
    let high = highs.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let (inverse, scale) = BlockQ8K::scale_of(low, high);
    out.scale = scale;
    let mut sums = [0; 16];
    let quants = out.quants.as_chunks_mut::<4>().0;
    for ((quants, sum), x) in quants.iter_mut().zip(&mut sums).zip(x.as_chunks::<LANES>().0) {
        (*quants, *sum) = round(x, inverse);
    }
    for (half, &sum) in sums.iter().enumerate() {
        out.compensation[0][half] = -4 * sum;
        out.compensation[1][half] = -32 * sum;
    }
    let mut blocks = [0; 8];
    for ((joined, block), &[first, second]) in
        out.sums_of_16.iter_mut().zip(&mut blocks).zip(sums.as_chunks().0)
    {
        *joined = join(first, second);
        *block = first + second;
    }
    for (compensation, &block) in out.compensation[2].iter_mut().zip(&blocks) {
        *compensation = -128 * block;
    }
    for (joined, &[first, second]) in out.sums_of_32.iter_mut().zip(blocks.as_chunks().0) {
        *joined = join(first, second);
    }
}

/// Rounds 256 columns with a scale per 32.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn quantize_q8_0<V: Vectors>(x: &[f32; 256], out: &mut BlockQ8_0) {
    for (block, x) in x.as_chunks::<32>().0.iter().enumerate() {
        let mut extremes = [0.0_f32; LANES];
        for x in x.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                extremes[lane] = if x[lane].abs() > extremes[lane] { x[lane].abs() } else { extremes[lane] };
            }
        }
        let (inverse, scale) = BlockQ8_0::scale_of(extremes.into_iter().fold(0.0, f32::max));
        let mut sum = 0;
        let quants = &mut out.quants.as_chunks_mut::<4>().0[2 * block..];
        for (quants, x) in quants.iter_mut().zip(x.as_chunks::<LANES>().0) {
            let (rounded, part) = round(x, inverse);
            *quants = rounded;
            sum += part;
        }
        out.scales[block] = scale;
        out.sums[block] = scale * sum as f32;
        for (compensation, zero_point) in out.compensation.iter_mut().zip([8, 16, 128]) {
            compensation[block] = -zero_point * sum;
        }
    }
}

/// Rounds to the nearest integers of eight bits, halves to the even one; returns them, four in a word, and their sum.
#[inline(always)]
fn round(x: &[f32; LANES], inverse: f32) -> ([i32; 4], i32) {
    let quants = x.map(|x| (inverse * x).round_ties_even().clamp(-127.0, 127.0) as i32);
    let mut words = [0; 4];
    for (word, quants) in words.iter_mut().zip(quants.as_chunks::<4>().0) {
        *word = i32::from_le_bytes(quants.map(|quant| quant as u8));
    }
    (words, quants.iter().sum())
}

/// Two 16-bit integers in one word.
#[inline(always)]
fn join(low: i32, high: i32) -> i32 {
    low & 0xFFFF | high << 16
}
