//! The error function, for the exact form of GELU.

use super::{Lanes, exp};

/// Returns erf x with an absolute error below 5·10⁻⁷; ±1 for what is no number.
///
/// Abramowitz and Stegun, 7.1.26: erf x = 1 − (a₁t + … + a₅t⁵) · e^−x² with t = 1 / (1 + p·x), for x ≥ 0. It is off by less than
/// 1.5·10⁻⁷ itself; the rest is rounding.
#[inline(always)]
pub(crate) fn erf<L: Lanes>(lanes: L, x: L::F32) -> L::F32 {
    let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
    let negated = lanes.sub(zero, x);
    let magnitude = lanes.max(x, negated);
    let t = lanes.div(one, lanes.fma(magnitude, lanes.splat(P), one));
    let mut tail = lanes.splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        tail = lanes.fma(tail, t, lanes.splat(*coefficient));
    }
    tail = lanes.mul(tail, t);
    let y = lanes.sub(one, lanes.mul(tail, exp(lanes, lanes.mul(negated, x))));
    lanes.select_less(x, zero, lanes.sub(zero, y), y)
}

const P: f32 = 0.327_591_1;
/// From a₅ to a₁.
const COEFFICIENTS: [f32; 5] = [1.061_405_4, -1.453_152_1, 1.421_413_7, -0.284_496_74, 0.254_829_6];
