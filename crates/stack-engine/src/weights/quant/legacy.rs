//! The first block types: one scale, sometimes a minimum, and codes of equal width.

use super::{half_at, u32_at};

/// f16 d, 16 bytes of nibbles: low nibble *j* is element *j*, high nibble element *j* + 16; w = d(q − 8).
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for j in 0..16 {
        let byte = block[2 + j];
        out[j] = d * f32::from((byte & 15) as i8 - 8);
        out[j + 16] = d * f32::from((byte >> 4) as i8 - 8);
    }
}

/// f16 d, f16 m, nibbles as in [`q4_0`]; w = dq + m.
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for j in 0..16 {
        let byte = block[4 + j];
        out[j] = d * f32::from(byte & 15) + m;
        out[j + 16] = d * f32::from(byte >> 4) + m;
    }
}

/// f16 d, u32 whose bit *e* is the fifth bit of element *e*, nibbles as in [`q4_0`]; w = d(q − 16).
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let codes = five_bits(u32_at(block, 2), &block[6..]);
    for (out, code) in out.iter_mut().zip(codes) {
        *out = d * f32::from(code as i8 - 16);
    }
}

/// f16 d, f16 m, fifth bits and nibbles as in [`q5_0`]; w = dq + m.
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let codes = five_bits(u32_at(block, 4), &block[8..]);
    for (out, code) in out.iter_mut().zip(codes) {
        *out = d * f32::from(code) + m;
    }
}

/// f16 d, 32 signed bytes; w = dq.
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (out, &code) in out.iter_mut().zip(&block[2..]) {
        *out = d * f32::from(code as i8);
    }
}

/// As [`q8_0`], with the sum of the elements after d: a form for activations.
pub(super) fn q8_1(block: &[u8; 36], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (out, &code) in out.iter_mut().zip(&block[4..]) {
        *out = d * f32::from(code as i8);
    }
}

/// f16 d, one bit each, lowest first; w = d where the bit is set, else −d.
pub(super) fn q1_0(block: &[u8; 18], out: &mut [f32; 128]) {
    let d = half_at(block, 0);
    for (j, out) in out.iter_mut().enumerate() {
        let is_set = block[2 + j / 8] >> (j % 8) & 1 == 1;
        *out = if is_set { d } else { -d };
    }
}

/// f16 d, two bits each, lowest first; w = d(q − 1).
pub(super) fn q2_0(block: &[u8; 18], out: &mut [f32; 64]) {
    let d = half_at(block, 0);
    for (j, out) in out.iter_mut().enumerate() {
        let code = block[2 + j / 4] >> (2 * (j % 4)) & 3;
        *out = d * f32::from(code as i8 - 1);
    }
}

fn five_bits(high: u32, nibbles: &[u8]) -> [u8; 32] {
    let mut codes = [0; 32];
    for (e, code) in codes.iter_mut().enumerate() {
        let byte = nibbles[e % 16];
        let low = if e < 16 { byte & 15 } else { byte >> 4 };
        *code = low | ((high >> e & 1) as u8) << 4;
    }
    codes
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn one_bit_is_a_sign_and_two_bits_are_minus_one_to_two() {
        let mut block = [0; 18];
        block[..2].copy_from_slice(&f16::from_f32(0.5).to_le_bytes());
        block[2] = 0b1110_0100;
        let mut bits = [0.0; 128];
        q1_0(&block, &mut bits);
        assert_eq!(bits[..9], [-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5, -0.5]);
        let mut codes = [0.0; 64];
        q2_0(&block, &mut codes);
        assert_eq!(codes[..5], [-0.5, 0.0, 0.5, 1.0, -0.5]);
    }
}
