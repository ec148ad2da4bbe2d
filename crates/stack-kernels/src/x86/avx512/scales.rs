//! The scales of sixteen rows, from the lines that follow a tile's quants.
//!
//! All functions are unsafe for the same reason: the caller promises that the lines have the bytes that are read.

use std::arch::x86_64::{
    __m512, __m512i, _mm256_and_si256, _mm256_set1_epi8, _mm256_srli_epi16, _mm512_and_si512,
    _mm512_castsi512_ps, _mm512_cmplt_epi32_mask, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi16, _mm512_cvtepu8_epi32, _mm512_mask_blend_epi32, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_slli_epi32, _mm512_sllv_epi32, _mm512_srli_epi32, _mm512_sub_epi32,
};

use super::load;
use crate::buffer::Line;
use crate::tile::LANES;

/// Unsigned bytes times `d`.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn unsigned(scales: &[Line], d: __m512, sub: usize) -> __m512 {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_16(scales, LANES * sub) };
    _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)))
}

/// Signed bytes times `d`.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn signed(scales: &[Line], d: __m512, sub: usize) -> __m512 {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_16(scales, LANES * sub) };
    _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)))
}

/// Low nibbles of pairs of bytes times `d`.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn low_nibbles(scales: &[Line], d: __m512, sub: usize) -> __m512 {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_32(scales, 2 * LANES * (sub / 2)) };
    let pairs = _mm512_cvtepu8_epi16(bytes);
    let shifted = if sub.is_multiple_of(2) { pairs } else { _mm512_srli_epi32::<16>(pairs) };
    _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_and_si512(shifted, _mm512_set1_epi32(15))))
}

/// High nibbles of pairs of bytes, as pairs of 16-bit integers.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn high_nibbles(scales: &[Line], pair: usize) -> __m512i {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_32(scales, 2 * LANES * pair) };
    let bytes = _mm256_srli_epi16::<4>(bytes);
    _mm512_cvtepu8_epi16(_mm256_and_si256(bytes, _mm256_set1_epi8(15)))
}

/// Pairs of bytes from `start` on, as pairs of 16-bit integers.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn pairs(scales: &[Line], start: usize, pair: usize) -> __m512i {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_32(scales, start + 2 * LANES * pair) };
    _mm512_cvtepu8_epi16(bytes)
}

/// Halves of the powers of two that exponent bytes stand for.
///
/// # Safety
///
/// The lines are those of a tile that has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) unsafe fn halves_of_powers(scales: &[Line], sub: usize) -> __m512 {
    // SAFETY: the caller promises that the lines have it.
    let bytes = unsafe { load::bytes_16(scales, LANES * sub) };
    let exponents = _mm512_cvtepu8_epi32(bytes);
    let normal = _mm512_slli_epi32::<23>(_mm512_sub_epi32(exponents, _mm512_set1_epi32(1)));
    let tiny = _mm512_sllv_epi32(_mm512_set1_epi32(0x0020_0000), exponents);
    let is_tiny = _mm512_cmplt_epi32_mask(exponents, _mm512_set1_epi32(2));
    _mm512_castsi512_ps(_mm512_mask_blend_epi32(is_tiny, normal, tiny))
}
