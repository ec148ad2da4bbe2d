//! Loads from and stores to memory that is known to be there.

use std::arch::x86_64::{
    __m128i, __m256i, __m512, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_broadcast_i32x4,
    _mm512_cvtph_ps, _mm512_load_si512, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_store_si512,
    _mm512_storeu_ps, _mm512_storeu_si512,
};

use crate::buffer::Line;
use crate::tile::LANES;

/// Loads a line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn line(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned to 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Stores a line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn store_line(line: &mut Line, value: __m512i) {
    // SAFETY: a line is 64 bytes, aligned to 64.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), value) }
}

/// Loads sixteen integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn integers(values: &[i32; LANES]) -> __m512i {
    // SAFETY: sixteen integers are 64 bytes.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

/// Stores sixteen integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn store_integers(values: &mut [i32; LANES], value: __m512i) {
    // SAFETY: sixteen integers are 64 bytes.
    unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), value) }
}

/// Loads sixteen floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn floats(values: &[f32; LANES]) -> __m512 {
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

/// Stores sixteen floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn store_floats(values: &mut [f32; LANES], value: __m512) {
    // SAFETY: sixteen floats are 64 bytes.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), value) }
}

/// Loads the sixteen bytes from `at` on.
///
/// A check of the length here, inside of loops, would keep the compiler from folding loads into products.
///
/// # Safety
///
/// The lines have so many bytes from there on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn bytes_16(lines: &[Line], at: usize) -> __m128i {
    debug_assert!(at + 16 <= 64 * lines.len());
    // SAFETY: the caller promises that the bytes are there.
    unsafe { _mm_loadu_si128(lines.as_ptr().cast::<u8>().add(at).cast()) }
}

/// Loads the 32 bytes from `at` on.
///
/// # Safety
///
/// The lines have so many bytes from there on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn bytes_32(lines: &[Line], at: usize) -> __m256i {
    debug_assert!(at + 32 <= 64 * lines.len());
    // SAFETY: the caller promises that the bytes are there.
    unsafe { _mm256_loadu_si256(lines.as_ptr().cast::<u8>().add(at).cast()) }
}

/// Loads a table of sixteen bytes into each quarter of a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn table(bytes: &[u8; 16]) -> __m512i {
    // SAFETY: the table has sixteen bytes.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Loads sixteen floats of 16 bits from the byte `at` on.
///
/// # Safety
///
/// The lines have 32 bytes from there on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn halves(lines: &[Line], at: usize) -> __m512 {
    // SAFETY: the caller promises that the bytes are there.
    _mm512_cvtph_ps(unsafe { bytes_32(lines, at) })
}
