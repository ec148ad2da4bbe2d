//! An exponential that the compiler can turn into vector instructions.

/// Returns e^x with a relative error below 3e-7, for x up to 88; smaller than -87 counts as -87.
///
/// The power is split as 2^n · e^r with |r| ≤ ln 2 / 2; e^r is a Taylor polynomial. Adding 1.5·2²³ rounds to
/// the nearest integer and leaves that integer in the low bits of the float, which avoids a slow conversion.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let poly = 1.0
        + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127).wrapping_shl(23));
    poly * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_standard_library() {
        for i in -8_700..=8_700 {
            let x = i as f32 / 100.0;
            let (ours, theirs) = (exp(x), x.exp());
            assert!((ours / theirs - 1.0).abs() < 3e-7, "{x}: {ours} {theirs}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }
}
