//! Codebooks of eight magnitudes, with signs beside them, at a little over two bits.

use super::{grids, half_at, u16_at, u32_at};

/// f16 d, then per 32 elements: four grid indices of 8 bits, four sign patterns of 7 bits, a scale of 4.
pub(super) fn xxs(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let at = 2 + 8 * group;
        let word = u32_at(block, at + 4);
        let scale = d * (0.5 + (word >> 28) as f32) * 0.25;
        for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let row = grids::IQ2_XXS[usize::from(block[at + l])];
            signed(out, scale, row, even_signs((word >> (7 * l) & 127) as u8));
        }
    }
}

/// f16 d, u16[32] (9 bits grid index, 7 bits signs, per 8 elements), scales[8] of 4 bits per 16.
pub(super) fn xs(block: &[u8; 74], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let word = u16_at(block, 2 + 2 * l);
        let row = grids::IQ2_XS[usize::from(word & 511)];
        signed(out, scale_of_16(d, &block[66..], l / 2), row, even_signs((word >> 9) as u8));
    }
}

/// f16 d, 32 bytes of grid indices, 32 bytes of signs, qh[8] with two more index bits per 8 elements, scales[8].
pub(super) fn s(block: &[u8; 82], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let high = block[66 + l / 4] >> (2 * (l % 4)) & 3;
        let row = grids::IQ2_S[usize::from(block[2 + l]) | usize::from(high) << 8];
        signed(out, scale_of_16(d, &block[74..], l / 2), row, block[34 + l]);
    }
}

/// Completes seven signs: the eighth makes the number of negative elements even.
pub(super) fn even_signs(seven: u8) -> u8 {
    seven | ((seven.count_ones() & 1) as u8) << 7
}

fn scale_of_16(d: f32, scales: &[u8], group: usize) -> f32 {
    d * (0.5 + f32::from(scales[group / 2] >> (4 * (group % 2)) & 15)) * 0.25
}

fn signed(out: &mut [f32; 8], scale: f32, row: u16, signs: u8) {
    for (j, out) in out.iter_mut().enumerate() {
        let magnitude = scale * MAGNITUDES[usize::from(row >> (2 * j) & 3)];
        *out = if signs >> j & 1 == 1 { -magnitude } else { magnitude };
    }
}

/// The codebooks never use the fourth code.
const MAGNITUDES: [f32; 4] = [8.0, 25.0, 43.0, 0.0];
