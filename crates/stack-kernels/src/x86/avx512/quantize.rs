//! Rounding of activations.
//!
//! Nothing is stored in pieces and loaded as a whole: a load would wait until all pieces are in the cache.

use std::arch::x86_64::{
    __m512, __m512i, _MM_PERM_BADC, _MM_PERM_CDAB, _mm_storeu_si128, _mm256_castsi256_si128,
    _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_mullo_epi32, _mm256_set1_epi32,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm512_abs_ps, _mm512_add_epi32, _mm512_castsi128_si512,
    _mm512_castsi512_si128, _mm512_castsi512_si256, _mm512_cvtepi32_epi16, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi8, _mm512_dpbusd_epi32, _mm512_inserti32x4, _mm512_maskz_compress_epi32,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_reduce_max_ps,
    _mm512_reduce_min_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512,
    _mm512_shuffle_epi32,
};

use super::load;
use crate::activations::{BlockQ8_0, BlockQ8K};

/// Rounds 256 columns with one scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn quantize_q8_k(x: &[f32; 256], out: &mut BlockQ8K) {
    let (mut low, mut high) = (_mm512_set1_ps(f32::INFINITY), _mm512_set1_ps(f32::NEG_INFINITY));
    for x in x.as_chunks().0 {
        let x = load::floats(x);
        (low, high) = (_mm512_min_ps(low, x), _mm512_max_ps(high, x));
    }
    let (inverse, scale) = BlockQ8K::scale_of(_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high));
    out.scale = scale;
    let inverse = [_mm512_set1_ps(inverse); 2];
    let mut sums = [_mm512_setzero_si512(); 4];
    let parts = x.as_chunks().0.iter().zip(out.quants.as_chunks_mut().0).zip(&mut sums);
    for ((x, words), sums) in parts {
        *sums = sums_of_16(round_64(x, inverse, words));
    }
    let sums_of_16 = join(sums.map(|sums| _mm512_maskz_compress_epi32(0x1111, sums)));
    let sums_of_32 = _mm512_add_epi32(sums_of_16, _mm512_shuffle_epi32::<_MM_PERM_CDAB>(sums_of_16));
    let sums_of_32 = _mm512_maskz_compress_epi32(0x5555, sums_of_32);
    load::store_integers(&mut out.compensation[0], _mm512_mullo_epi32(sums_of_16, _mm512_set1_epi32(-4)));
    load::store_integers(&mut out.compensation[1], _mm512_mullo_epi32(sums_of_16, _mm512_set1_epi32(-32)));
    load::store_integers(&mut out.compensation[2], _mm512_mullo_epi32(sums_of_32, _mm512_set1_epi32(-128)));
    let narrow = _mm512_cvtepi32_epi16(sums_of_16);
    // SAFETY: eight integers are 32 bytes.
    unsafe { _mm256_storeu_si256(out.sums_of_16.as_mut_ptr().cast(), narrow) };
    let narrow = _mm256_castsi256_si128(_mm512_cvtepi32_epi16(sums_of_32));
    // SAFETY: four integers are 16 bytes.
    unsafe { _mm_storeu_si128(out.sums_of_32.as_mut_ptr().cast(), narrow) };
}

/// Rounds 256 columns with a scale per 32.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn quantize_q8_0(x: &[f32; 256], out: &mut BlockQ8_0) {
    let mut inverses = [0.0; 8];
    for ((x, inverse), scale) in x.as_chunks::<32>().0.iter().zip(&mut inverses).zip(&mut out.scales) {
        let [a, b] = [0, 1].map(|half: usize| _mm512_abs_ps(load::floats(&x.as_chunks().0[half])));
        (*inverse, *scale) = BlockQ8_0::scale_of(_mm512_reduce_max_ps(_mm512_max_ps(a, b)));
    }
    let mut sums = [_mm512_setzero_si512(); 4];
    let parts =
        x.as_chunks().0.iter().zip(out.quants.as_chunks_mut().0).zip(inverses.as_chunks().0).zip(&mut sums);
    for (((x, words), &[first, second]), sums) in parts {
        let inverse = [_mm512_set1_ps(first), _mm512_set1_ps(second)];
        *sums = sums_of_16(round_64(x, inverse, words));
    }
    let sums_of_16 = join(sums.map(|sums| _mm512_maskz_compress_epi32(0x1111, sums)));
    let sums_of_32 = _mm512_add_epi32(sums_of_16, _mm512_shuffle_epi32::<_MM_PERM_CDAB>(sums_of_16));
    let sums = _mm512_castsi512_si256(_mm512_maskz_compress_epi32(0x5555, sums_of_32));
    for (compensation, zero_point) in out.compensation.iter_mut().zip([-8, -16, -128]) {
        let products = _mm256_mullo_epi32(sums, _mm256_set1_epi32(zero_point));
        // SAFETY: eight integers are 32 bytes.
        unsafe { _mm256_storeu_si256(compensation.as_mut_ptr().cast(), products) };
    }
    // SAFETY: eight floats are 32 bytes.
    let scales = unsafe { _mm256_loadu_ps(out.scales.as_ptr()) };
    // SAFETY: eight floats are 32 bytes.
    unsafe { _mm256_storeu_ps(out.sums.as_mut_ptr(), _mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums))) };
}

/// Rounds 64 columns, with an own factor for each half, and stores and returns their quants.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn round_64(x: &[f32; 64], inverse: [__m512; 2], words: &mut [i32; 16]) -> __m512i {
    let mut parts = [_mm512_setzero_si512(); 4];
    for (index, (part, x)) in parts.iter_mut().zip(x.as_chunks().0).enumerate() {
        let quants = _mm512_cvtps_epi32(_mm512_mul_ps(inverse[index / 2], load::floats(x)));
        *part = _mm512_castsi128_si512(_mm512_cvtsepi32_epi8(quants));
    }
    let quants = join(parts);
    load::store_integers(words, quants);
    quants
}

/// Sums sixteen bytes each; four lanes hold the same sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn sums_of_16(quants: __m512i) -> __m512i {
    let by_4 = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), quants);
    let by_8 = _mm512_add_epi32(by_4, _mm512_shuffle_epi32::<_MM_PERM_CDAB>(by_4));
    _mm512_add_epi32(by_8, _mm512_shuffle_epi32::<_MM_PERM_BADC>(by_8))
}

/// Joins the first quarters.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn join([a, b, c, d]: [__m512i; 4]) -> __m512i {
    let joined = _mm512_inserti32x4::<1>(a, _mm512_castsi512_si128(b));
    let joined = _mm512_inserti32x4::<2>(joined, _mm512_castsi512_si128(c));
    _mm512_inserti32x4::<3>(joined, _mm512_castsi512_si128(d))
}
