//! Four-bit floats (E2M1) with a scale for few elements.

/// u8 exponent, 16 bytes of nibbles: low ones are elements 0 to 15, high ones 16 to 31.
pub(super) fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    let scale = half_of_power(block[0]);
    for j in 0..16 {
        out[j] = scale * TWICE[usize::from(block[1 + j] & 15)];
        out[j + 16] = scale * TWICE[usize::from(block[1 + j] >> 4)];
    }
}

/// Four scales, one per 16 elements, then 8 bytes of nibbles for each. The factor of the whole tensor is elsewhere.
pub(super) fn nvfp4(block: &[u8; 36], out: &mut [f32; 64]) {
    let (scales, codes) = block.split_at(4);
    for (group, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = half_of_ue4m3(scales[group]);
        for j in 0..8 {
            let byte = codes[8 * group + j];
            out[j] = scale * TWICE[usize::from(byte & 15)];
            out[j + 8] = scale * TWICE[usize::from(byte >> 4)];
        }
    }
}

/// Returns 2^(e − 128), half of what the exponent byte E8M0 stands for.
fn half_of_power(exponent: u8) -> f32 {
    match exponent {
        // Below the normal numbers of f32.
        0 | 1 => f32::from_bits(0x0020_0000 << exponent),
        _ => f32::from_bits(u32::from(exponent - 1) << 23),
    }
}

/// Returns half of an unsigned float with four bits of exponent (bias 7) and three of mantissa. The code for "not a
/// number" counts as zero.
fn half_of_ue4m3(code: u8) -> f32 {
    if code == 0x7F {
        return 0.0;
    }
    let (exponent, mantissa) = (i32::from(code >> 3 & 15), f32::from(code & 7));
    if exponent == 0 { mantissa / 1024.0 } else { (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 8) }
}

/// The sixteen values, doubled so that they are whole.
const TWICE: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];
