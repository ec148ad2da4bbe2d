//! Sixteen integers, and lines of bytes, in AVX2.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_srli_si128, _mm256_add_epi32, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_castsi256_ps, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_cvtepu16_epi32, _mm256_load_si256, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_max_epi32, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_shuffle_epi8,
    _mm256_slli_epi16, _mm256_slli_epi32, _mm256_srli_epi16, _mm256_srli_epi32, _mm256_store_si256,
    _mm256_storeu_si256,
};

use super::float::Floats;
use crate::buffer::Line;
use crate::vector;

/// Sixteen integers in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Ints(pub(super) __m256i, pub(super) __m256i);

impl vector::Ints for Ints {
    type Floats = Floats;

    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        // SAFETY: the caller vouches for AVX2.
        let all = unsafe { _mm256_set1_epi32(value) };
        Self(all, all)
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller vouches for AVX2 and for sixteen integers.
        unsafe { Self(_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller vouches for AVX2 and for sixteen bytes.
        unsafe {
            let (low, high) = halves(_mm_loadu_si128(from.cast()));
            Self(_mm256_cvtepu8_epi32(low), _mm256_cvtepu8_epi32(high))
        }
    }

    #[inline(always)]
    unsafe fn load_signed_bytes(from: *const i8) -> Self {
        // SAFETY: the caller vouches for AVX2 and for sixteen bytes.
        unsafe {
            let (low, high) = halves(_mm_loadu_si128(from.cast()));
            Self(_mm256_cvtepi8_epi32(low), _mm256_cvtepi8_epi32(high))
        }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller vouches for AVX2 and for 32 bytes.
        unsafe {
            let low = _mm_loadu_si128(from.cast());
            let high = _mm_loadu_si128(from.add(8).cast());
            Self(_mm256_cvtepu16_epi32(low), _mm256_cvtepu16_epi32(high))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: a value exists only where AVX2 does; the caller vouches for sixteen integers.
        unsafe {
            _mm256_storeu_si256(to.cast(), self.0);
            _mm256_storeu_si256(to.add(8).cast(), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_add_epi32(self.0, other.0), _mm256_add_epi32(self.1, other.1)) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_max_epi32(self.0, other.0), _mm256_max_epi32(self.1, other.1)) }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_and_si256(self.0, other.0), _mm256_and_si256(self.1, other.1)) }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_or_si256(self.0, other.0), _mm256_or_si256(self.1, other.1)) }
    }

    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_slli_epi32::<N>(self.0), _mm256_slli_epi32::<N>(self.1)) }
    }

    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_srli_epi32::<N>(self.0), _mm256_srli_epi32::<N>(self.1)) }
    }

    #[inline(always)]
    fn madd_pairs(self, a: Self, b: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        let products = unsafe { Self(_mm256_madd_epi16(a.0, b.0), _mm256_madd_epi16(a.1, b.1)) };
        self.add(products)
    }

    #[inline(always)]
    fn to_floats(self) -> Floats {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Floats(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1)) }
    }

    #[inline(always)]
    fn as_floats(self) -> Floats {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Floats(_mm256_castsi256_ps(self.0), _mm256_castsi256_ps(self.1)) }
    }
}

/// Splits a register of bytes: the second one has its upper half below.
///
/// # Safety
///
/// The processor must have AVX2.
#[inline(always)]
unsafe fn halves(bytes: __m128i) -> (__m128i, __m128i) {
    // SAFETY: the caller vouches for AVX2, which comes with SSE2.
    (bytes, unsafe { _mm_srli_si128::<8>(bytes) })
}

/// A line in two registers.
#[derive(Clone, Copy)]
pub(crate) struct Bytes(pub(super) __m256i, pub(super) __m256i);

impl vector::Bytes for Bytes {
    #[inline(always)]
    unsafe fn load(from: *const Line) -> Self {
        let from: *const __m256i = from.cast();
        // SAFETY: the caller vouches for AVX2 and for a line, which is 64 aligned bytes.
        unsafe { Self(_mm256_load_si256(from), _mm256_load_si256(from.add(1))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut Line) {
        let to: *mut __m256i = to.cast();
        // SAFETY: a value exists only where AVX2 does; the caller vouches for a line, which is 64 aligned bytes.
        unsafe {
            _mm256_store_si256(to, self.0);
            _mm256_store_si256(to.add(1), self.1);
        }
    }

    #[inline(always)]
    fn and(self, bits: u8) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe {
            let bits = _mm256_set1_epi8(bits.cast_signed());
            Self(_mm256_and_si256(self.0, bits), _mm256_and_si256(self.1, bits))
        }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_or_si256(self.0, other.0), _mm256_or_si256(self.1, other.1)) }
    }

    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_slli_epi16::<N>(self.0), _mm256_slli_epi16::<N>(self.1)) }
    }

    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where AVX2 does.
        unsafe { Self(_mm256_srli_epi16::<N>(self.0), _mm256_srli_epi16::<N>(self.1)) }
    }

    #[inline(always)]
    fn look_up(self, table: &[u8; 16]) -> Self {
        // SAFETY: a value exists only where AVX2 does; the table has sixteen bytes.
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            Self(_mm256_shuffle_epi8(table, self.0), _mm256_shuffle_epi8(table, self.1))
        }
    }
}
