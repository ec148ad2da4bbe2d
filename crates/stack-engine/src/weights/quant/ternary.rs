//! Weights of −1, 0 and 1.

use super::half_at;

/// qs[48], qh[4], f16 d. A byte is a fraction of 256 whose first five ternary digits are elements: digit *n* of the
/// first 32 bytes, then digit *n* of the next 16, then four digits of qh.
pub(super) fn tq1_0(block: &[u8; 54], out: &mut [f32; 256]) {
    let d = half_at(block, 52);
    let digit = |byte: u8, n: usize| {
        let rest = byte.wrapping_mul(POWERS[n]);
        d * f32::from(((u16::from(rest) * 3) >> 8) as i8 - 1)
    };
    for (element, out) in out.iter_mut().enumerate() {
        *out = match element {
            0..160 => digit(block[element % 32], element / 32),
            160..240 => digit(block[32 + (element - 160) % 16], (element - 160) / 16),
            _ => digit(block[48 + (element - 240) % 4], (element - 240) / 4),
        };
    }
}

/// qs[64], f16 d: two bits each, less one; halves of 128, groups of 32 in the bit pairs.
pub(super) fn tq2_0(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = half_at(block, 64);
    for (element, out) in out.iter_mut().enumerate() {
        let code = block[32 * (element / 128) + element % 32] >> (2 * (element / 32 % 4)) & 3;
        *out = d * f32::from(code as i8 - 1);
    }
}

const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
