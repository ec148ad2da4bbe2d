//! Codebooks of eight ternary values, shifted by an eighth either way, at under two bits.

use super::{grids, half_at, u16_at};

use half::f16;

/// f16 d, qs[32], u16 qh[8]: per 32 elements four times three index bits, a scale of three bits, the shift's sign.
pub(super) fn s(block: &[u8; 50], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let word = u16_at(block, 34 + 2 * (l / 4));
        let index = usize::from(block[2 + l]) | usize::from(word >> (3 * (l % 4)) & 7) << 8;
        let scale = d * f32::from(2 * (word >> 12 & 7) + 1);
        shifted(out, scale, index, word >> 15 == 1);
    }
}

/// qs[32], qh[16] (per 8 elements three index bits and the shift's sign), four words with four scales of three bits
/// each; their top nibbles together are f16 d.
pub(super) fn m(block: &[u8; 56], out: &mut [f32; 256]) {
    let words = [48, 50, 52, 54].map(|at| u16_at(block, at));
    let bits = words.iter().rev().fold(0, |bits, word| bits << 4 | word >> 12);
    let d = f16::from_bits(bits).to_f32();
    for (l, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let nibble = block[32 + l / 2] >> (4 * (l % 2));
        let index = usize::from(block[l]) | usize::from(nibble & 7) << 8;
        let scale = d * f32::from(2 * (words[l / 8] >> (3 * (l / 2 % 4)) & 7) + 1);
        shifted(out, scale, index, nibble & 8 != 0);
    }
}

fn shifted(out: &mut [f32; 8], scale: f32, index: usize, down: bool) {
    let shift = if down { -SHIFT } else { SHIFT };
    for (j, out) in out.iter_mut().enumerate() {
        let trit = (grids::IQ1_S[index] >> (2 * j) & 3) as i8 - 1;
        *out = scale * (f32::from(trit) + shift);
    }
}

const SHIFT: f32 = 0.125;
