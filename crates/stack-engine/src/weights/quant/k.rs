//! The K types: blocks of 256, with scales of sub-blocks that are quantized themselves.

use super::half_at;

/// scales[16] (low nibble scale, high nibble minimum, per 16 elements), qs[64], f16 d, f16 dmin.
pub(super) fn q2(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scales, codes) = block.split_at(16);
    let (d, dmin) = (half_at(block, 80), half_at(block, 82));
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (scale, minimum) = (d * f32::from(scales[group] & 15), dmin * f32::from(scales[group] >> 4));
        for (l, out) in out.iter_mut().enumerate() {
            *out = scale * f32::from(two_bits(codes, group * 16 + l)) - minimum;
        }
    }
}

/// hmask[32], qs[64], scales[12] (16 of six bits, less 32), f16 d; a clear bit of hmask takes 4 from the code.
pub(super) fn q3(block: &[u8; 110], out: &mut [f32; 256]) {
    let (mask, codes, packed) = (&block[..32], &block[32..96], &block[96..108]);
    let d = half_at(block, 108);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let low = packed[group % 8] >> (4 * (group / 8)) & 15;
        let high = packed[8 + group % 4] >> (2 * (group / 4)) & 3;
        let scale = d * f32::from((low | high << 4) as i8 - 32);
        for (l, out) in out.iter_mut().enumerate() {
            let element = group * 16 + l;
            let is_high = mask[element % 32] >> (element / 32) & 1 == 1;
            let code = two_bits(codes, element) as i8 - if is_high { 0 } else { 4 };
            *out = scale * f32::from(code);
        }
    }
}

/// f16 d, f16 dmin, scales[12], qs[128]: chunk *c* of 32 bytes has sub-block 2*c* in its low nibbles, 2*c* + 1 in its
/// high ones.
pub(super) fn q4(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, minimum) = scale_and_minimum(&block[4..16], group);
        let (scale, minimum) = (d * scale, dmin * minimum);
        for (l, out) in out.iter_mut().enumerate() {
            *out = scale * f32::from(nibble(&block[16..], group, l)) - minimum;
        }
    }
}

/// As [`q4`], with qh[32] before qs: bit *g* of qh[l] is the fifth bit of element *l* of sub-block *g*.
pub(super) fn q5(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    for (group, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, minimum) = scale_and_minimum(&block[4..16], group);
        let (scale, minimum) = (d * scale, dmin * minimum);
        for (l, out) in out.iter_mut().enumerate() {
            let high = block[16 + l] >> group & 1;
            *out = scale * f32::from(nibble(&block[48..], group, l) | high << 4) - minimum;
        }
    }
}

/// ql[128], qh[64], signed scales[16], f16 d. In each half, groups of 32: two in the low nibbles of ql, two in the
/// high ones, and the top two bits of group *g* in bits 2*g* of qh.
pub(super) fn q6(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = half_at(block, 208);
    for (element, out) in out.iter_mut().enumerate() {
        let (half, group, l) = (element / 128, element / 32 % 4, element % 32);
        let low = block[64 * half + 32 * (group % 2) + l] >> (4 * (group / 2)) & 15;
        let high = block[128 + 32 * half + l] >> (2 * group) & 3;
        let scale = block[192 + element / 16] as i8;
        *out = d * f32::from(scale) * f32::from((low | high << 4) as i8 - 32);
    }
}

/// f32 d, 256 signed bytes, sums of 16: a form for activations.
pub(super) fn q8(block: &[u8; 292], out: &mut [f32; 256]) {
    let d = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    for (out, &code) in out.iter_mut().zip(&block[4..]) {
        *out = d * f32::from(code as i8);
    }
}

/// Two bits of an element: halves of 128 in 32 bytes each, four groups of 32 in the bit pairs of those.
fn two_bits(codes: &[u8], element: usize) -> u8 {
    codes[32 * (element / 128) + element % 32] >> (2 * (element / 32 % 4)) & 3
}

fn nibble(codes: &[u8], group: usize, l: usize) -> u8 {
    codes[32 * (group / 2) + l] >> (4 * (group % 2)) & 15
}

/// Unpacks the six-bit scale and minimum of one of eight sub-blocks from twelve bytes.
fn scale_and_minimum(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        (low & 15 | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4)
    };
    (scale.into(), minimum.into())
}
