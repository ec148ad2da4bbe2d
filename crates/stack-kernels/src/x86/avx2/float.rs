//! Sixteen floats in AVX2, FMA and F16C.

use std::arch::x86_64::{
    __m256, __m256i, _mm_loadu_si128, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cvtph_ps,
    _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_mul_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_storeu_ps,
};

use crate::cache::prefetch;
use crate::float::floats;

/// 16 floats in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Floats(pub(super) __m256, pub(super) __m256);

impl floats::Floats for Floats {
    const SUMS: usize = 6;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for AVX2 and for 16 floats.
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: the caller vouches for F16C and for 16 elements.
        unsafe {
            let low = _mm_loadu_si128(from.cast());
            let high = _mm_loadu_si128(from.add(8).cast());
            Self(_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
        }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for AVX2 and for 16 pairs.
        unsafe {
            let (low_first, low_second) = halves(_mm256_loadu_si256(from.cast()));
            let (high_first, high_second) = halves(_mm256_loadu_si256(from.add(8).cast()));
            (Self(low_first, high_first), Self(low_second, high_second))
        }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller vouches for AVX2 and for a float.
        let all = unsafe { _mm256_set1_ps(from.read()) };
        Self(all, all)
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for AVX2 and for a pair.
        let (first, second) = unsafe { halves(_mm256_set1_epi32(from.read().cast_signed())) };
        (Self(first, first), Self(second, second))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: a value exists only where AVX2 does; the caller vouches for 16 floats.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: a value exists only where AVX2 and FMA do.
        unsafe { Self(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn fnma(self, a: Self, b: Self) -> Self {
        // SAFETY: a value exists only where AVX2 and FMA do.
        unsafe { Self(_mm256_fnmadd_ps(a.0, b.0, self.0), _mm256_fnmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    fn prefetch(address: *const u8) {
        prefetch::<true, u8>(address);
    }
}

/// Widens the first and the second BF16 value of eight pairs.
///
/// # Safety
///
/// The processor must have AVX2.
#[inline(always)]
unsafe fn halves(pairs: __m256i) -> (__m256, __m256) {
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let first = _mm256_slli_epi32::<16>(pairs);
        let second = _mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF_0000_u32.cast_signed()));
        (_mm256_castsi256_ps(first), _mm256_castsi256_ps(second))
    }
}
