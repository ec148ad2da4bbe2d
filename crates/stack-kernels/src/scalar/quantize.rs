//! Rounding of activations.

use crate::activations::{BlockQ8_0, BlockQ8K};

/// Rounds 256 columns with one scale.
pub(crate) fn quantize_q8_k(x: &[f32; 256], out: &mut BlockQ8K) {
    let (low, high) =
        x.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let (inverse, scale) = BlockQ8K::scale_of(low, high);
    out.scale = scale;
    let mut sums = [0; 16];
    for (word, x) in x.as_chunks::<4>().0.iter().enumerate() {
        let quants = x.map(|x| round(inverse * x));
        out.quants[word] = i32::from_le_bytes(quants.map(|quant| quant as u8));
        sums[word / 4] += quants.map(i32::from).iter().sum::<i32>();
    }
    for (half, &sum) in sums.iter().enumerate() {
        out.compensation[0][half] = -4 * sum;
        out.compensation[1][half] = -32 * sum;
    }
    for (pair, out) in out.sums_of_16.iter_mut().enumerate() {
        *out = join(sums[2 * pair], sums[2 * pair + 1]);
    }
    let sums: [i32; 8] = std::array::from_fn(|block| sums[2 * block] + sums[2 * block + 1]);
    for (compensation, sum) in out.compensation[2].iter_mut().zip(sums) {
        *compensation = -128 * sum;
    }
    for (pair, out) in out.sums_of_32.iter_mut().enumerate() {
        *out = join(sums[2 * pair], sums[2 * pair + 1]);
    }
}

/// Rounds 256 columns with a scale per 32.
pub(crate) fn quantize_q8_0(x: &[f32; 256], out: &mut BlockQ8_0) {
    for (block, x) in x.as_chunks::<32>().0.iter().enumerate() {
        let extreme = x.iter().fold(0.0f32, |extreme, x| extreme.max(x.abs()));
        let (inverse, scale) = BlockQ8_0::scale_of(extreme);
        let mut sum = 0;
        for (word, x) in x.as_chunks::<4>().0.iter().enumerate() {
            let quants = x.map(|x| round(inverse * x));
            out.quants[8 * block + word] = i32::from_le_bytes(quants.map(|quant| quant as u8));
            sum += quants.map(i32::from).iter().sum::<i32>();
        }
        out.scales[block] = scale;
        out.sums[block] = scale * sum as f32;
        for (compensation, zero_point) in out.compensation.iter_mut().zip([8, 16, 128]) {
            compensation[block] = -zero_point * sum;
        }
    }
}

/// Rounds to the nearest integer of eight bits, halves to the even one.
fn round(x: f32) -> i8 {
    x.round_ties_even().clamp(-127.0, 127.0) as i8
}

/// Two 16-bit integers in one word.
fn join(low: i32, high: i32) -> i32 {
    low & 0xFFFF | high << 16
}
