//! Codebooks of four magnitudes, with signs beside them, at a little over three bits.

use super::iq2::even_signs;
use super::{grids, half_at, u32_at};

/// f16 d, qs[64] (a grid index per 4 elements), then per 32: four sign patterns of 7 bits, a scale of 4.
pub(super) fn xxs(block: &[u8; 98], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let word = u32_at(block, 66 + 4 * (l / 4));
        let scale = d * (0.5 + (word >> 28) as f32) * 0.5;
        let signs = even_signs((word >> (7 * (l % 4)) & 127) as u8);
        let rows = [2 * l, 2 * l + 1].map(|index| grids::IQ3_XXS[usize::from(block[2 + index])]);
        signed(out, scale, rows, &XXS_MAGNITUDES, signs);
    }
}

/// f16 d, qs[64], qh[8] with the ninth bits of the indices, signs[32], scales[4] of 4 bits per 32.
pub(super) fn s(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let group = l / 4;
        let scale = d * f32::from(1 + 2 * (block[106 + group / 2] >> (4 * (group % 2)) & 15));
        let rows = [2 * l, 2 * l + 1].map(|index| {
            let high = block[66 + group] >> (index % 8) & 1;
            grids::IQ3_S[usize::from(block[2 + index]) | usize::from(high) << 8]
        });
        signed(out, scale, rows, &S_MAGNITUDES, block[74 + l]);
    }
}

fn signed(out: &mut [f32; 8], scale: f32, rows: [u16; 2], magnitudes: &[f32; 8], signs: u8) {
    for (j, out) in out.iter_mut().enumerate() {
        let code = rows[j / 4] >> (4 * (j % 4)) & 7;
        let magnitude = scale * magnitudes[usize::from(code)];
        *out = if signs >> j & 1 == 1 { -magnitude } else { magnitude };
    }
}

const XXS_MAGNITUDES: [f32; 8] = [4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 62.0];
const S_MAGNITUDES: [f32; 8] = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0];
