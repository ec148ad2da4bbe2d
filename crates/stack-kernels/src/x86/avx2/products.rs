//! Products of bytes in AVX2, with and without the integer dot product.

use std::arch::x86_64::{
    _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_sign_epi8, _mm256_xor_si256,
};

use super::float::Floats;
use super::integer::{Bytes, Ints};
use crate::buffer::Line;
use crate::vector::{Codes, Ints as _, Vectors};

/// AVX2: pairs of products are summed in 16 bits, as many groups as fit, and then in 32.
#[derive(Clone, Copy)]
pub(crate) struct MultiplyAdd;

impl Vectors for MultiplyAdd {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<C: Codes, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        starts: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // SAFETY: the caller vouches for all of it.
        unsafe {
            match C::BITS {
                4 => unsigned::<C, GROUPS, ROWS, 8>(block, group, x, starts),
                5 => unsigned::<C, GROUPS, ROWS, 4>(block, group, x, starts),
                6 => unsigned::<C, GROUPS, ROWS, 2>(block, group, x, starts),
                _ => signed::<C, GROUPS, ROWS>(block, group, x),
            }
        }
    }
}

/// Multiplies codes so small that the products of `TOGETHER` groups fit 16 bits: of two columns each, 8 times
/// 2 · 15 · 127, 4 times 2 · 31 · 127 and 2 times 2 · 63 · 127 are all below 32768.
///
/// # Safety
///
/// As for [`Vectors::products`].
#[inline(always)]
unsafe fn unsigned<C: Codes, const GROUPS: usize, const ROWS: usize, const TOGETHER: usize>(
    block: *const Line,
    group: usize,
    x: [*const i32; ROWS],
    starts: [i32; ROWS],
) -> [Ints; ROWS] {
    // SAFETY: the caller vouches for AVX2, for the lines of the block and for `GROUPS` words of each row.
    unsafe {
        let mut sums = [Ints::splat(0); ROWS];
        for row in 0..ROWS {
            sums[row] = Ints::splat(starts[row]);
        }
        let ones = _mm256_set1_epi16(1);
        for first in (0..GROUPS).step_by(TOGETHER) {
            let mut shorts = [(_mm256_setzero_si256(), _mm256_setzero_si256()); ROWS];
            for step in first..GROUPS.min(first + TOGETHER) {
                let codes = C::group::<Bytes>(block, group + step);
                for row in 0..ROWS {
                    let x = _mm256_set1_epi32(x[row].add(step).read());
                    shorts[row].0 = _mm256_add_epi16(shorts[row].0, _mm256_maddubs_epi16(codes.0, x));
                    shorts[row].1 = _mm256_add_epi16(shorts[row].1, _mm256_maddubs_epi16(codes.1, x));
                }
            }
            for row in 0..ROWS {
                sums[row].0 = _mm256_add_epi32(sums[row].0, _mm256_madd_epi16(shorts[row].0, ones));
                sums[row].1 = _mm256_add_epi32(sums[row].1, _mm256_madd_epi16(shorts[row].1, ones));
            }
        }
        sums
    }
}

/// Multiplies codes of eight bits, of which even two products overflow 16 bits: 128 is subtracted, which leaves
/// 2 · 128 · 127, and signs move to the activations. Sums begin at zero then.
///
/// # Safety
///
/// As for [`Vectors::products`].
#[inline(always)]
unsafe fn signed<C: Codes, const GROUPS: usize, const ROWS: usize>(
    block: *const Line,
    group: usize,
    x: [*const i32; ROWS],
) -> [Ints; ROWS] {
    // SAFETY: the caller vouches for AVX2, for the lines of the block and for `GROUPS` words of each row.
    unsafe {
        let mut sums = [Ints::splat(0); ROWS];
        let (ones, top) = (_mm256_set1_epi16(1), _mm256_set1_epi8(i8::MIN));
        for step in 0..GROUPS {
            let codes = C::group::<Bytes>(block, group + step);
            let codes = (_mm256_xor_si256(codes.0, top), _mm256_xor_si256(codes.1, top));
            let sizes = (_mm256_abs_epi8(codes.0), _mm256_abs_epi8(codes.1));
            for row in 0..ROWS {
                let x = _mm256_set1_epi32(x[row].add(step).read());
                let low = _mm256_maddubs_epi16(sizes.0, _mm256_sign_epi8(x, codes.0));
                let high = _mm256_maddubs_epi16(sizes.1, _mm256_sign_epi8(x, codes.1));
                sums[row].0 = _mm256_add_epi32(sums[row].0, _mm256_madd_epi16(low, ones));
                sums[row].1 = _mm256_add_epi32(sums[row].1, _mm256_madd_epi16(high, ones));
            }
        }
        sums
    }
}

/// AVX-VNNI: four products are summed in 32 bits at once.
#[derive(Clone, Copy)]
pub(crate) struct Vnni;

impl Vectors for Vnni {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<C: Codes, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        starts: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // SAFETY: the caller vouches for AVX-VNNI, for the lines of the block and for `GROUPS` words of each row.
        unsafe {
            let mut sums = [Ints::splat(0); ROWS];
            for row in 0..ROWS {
                sums[row] = Ints::splat(starts[row]);
            }
            for step in 0..GROUPS {
                let codes = C::group::<Bytes>(block, group + step);
                for row in 0..ROWS {
                    let x = _mm256_set1_epi32(x[row].add(step).read());
                    sums[row].0 = _mm256_dpbusd_avx_epi32(sums[row].0, codes.0, x);
                    sums[row].1 = _mm256_dpbusd_avx_epi32(sums[row].1, codes.1, x);
                }
            }
            sums
        }
    }
}
