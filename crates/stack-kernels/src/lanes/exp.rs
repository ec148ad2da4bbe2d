//! The exponential function, the only one that kernels need, in one polynomial for all levels.

use super::Lanes;

/// Returns eˣ with a relative error below 2·10⁻⁷; 0 below −87, e⁸⁸ above 88, exactly 1 at 0.
///
/// x = n · ln 2 + r with |r| ≤ ½ ln 2; eʳ is a polynomial (the coefficients are those of Cephes' `expf`), 2ⁿ goes to the
/// exponent's bits.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(lanes: L, x: L::F32) -> L::F32 {
    let zero = lanes.splat(0.0);
    let lowest = lanes.splat(LOWEST);
    let bounded = lanes.max(lanes.min(x, lanes.splat(HIGHEST)), lowest);
    // Adding 1.5 · 2²³ leaves the integer nearest to what was there in the low bits.
    let shifted = lanes.fma(bounded, lanes.splat(std::f32::consts::LOG2_E), lanes.splat(SHIFT));
    let n = lanes.sub(shifted, lanes.splat(SHIFT));
    let r = lanes.fma(n, lanes.splat(-LN_2_HIGH), bounded);
    let r = lanes.fma(n, lanes.splat(-LN_2_LOW), r);
    let mut p = lanes.splat(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        p = lanes.fma(p, r, lanes.splat(*coefficient));
    }
    let y = lanes.mul(p, lanes.power_of_two(shifted));
    lanes.select_less(x, lowest, zero, y)
}

/// Returns 1 + e⁻ˣ, by which a number is divided to multiply it by the logistic function of x.
#[inline(always)]
pub(crate) fn sigmoid_inverse<L: Lanes>(lanes: L, x: L::F32) -> L::F32 {
    let e = exp(lanes, lanes.sub(lanes.splat(0.0), x));
    lanes.add(lanes.splat(1.0), e)
}

/// Below this, results would leave the normal numbers.
const LOWEST: f32 = -87.0;
const HIGHEST: f32 = 88.0;
const SHIFT: f32 = 12_582_912.0;
/// ln 2 in two parts; products of the first one with small integers are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
const COEFFICIENTS: [f32; 8] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0];
