//! Four-bit codes into a table of sixteen unevenly spaced values.

use super::{half_at, u16_at};

/// f16 d, 16 bytes of nibbles: low ones are elements 0 to 15, high ones 16 to 31.
pub(super) fn nl(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for j in 0..16 {
        out[j] = d * f32::from(VALUES[usize::from(block[2 + j] & 15)]);
        out[j + 16] = d * f32::from(VALUES[usize::from(block[2 + j] >> 4)]);
    }
}

/// f16 d, u16 `scales_h`, `scales_l`[4], qs[128]: per 32 elements a six-bit scale, less 32.
pub(super) fn xs(block: &[u8; 136], out: &mut [f32; 256]) {
    let (d, scales_high) = (half_at(block, 0), u16_at(block, 2));
    for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
        let high = (scales_high >> (2 * group) & 3) as u8;
        let scale = d * f32::from((low | high << 4) as i8 - 32);
        for j in 0..16 {
            let byte = block[8 + 16 * group + j];
            out[j] = scale * f32::from(VALUES[usize::from(byte & 15)]);
            out[j + 16] = scale * f32::from(VALUES[usize::from(byte >> 4)]);
        }
    }
}

const VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
