//! Rounding of activations.

use std::arch::x86_64::{
    __m512, __m512i, _MM_PERM_BADC, _MM_PERM_CDAB, _mm_storeu_si128, _mm256_castsi256_si128,
    _mm256_storeu_si256, _mm512_abs_ps, _mm512_add_epi32, _mm512_cvtepi32_epi16, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi8, _mm512_dpbusd_epi32, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_mullo_epi32, _mm512_reduce_add_epi32, _mm512_reduce_max_ps, _mm512_reduce_min_ps,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_shuffle_epi32,
};

use super::load;
use crate::activations::{Rounded32, Rounded256};

/// Rounds 256 columns with one scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn round_256(x: &[f32; 256], out: &mut Rounded256) {
    let (mut low, mut high) = (_mm512_set1_ps(f32::INFINITY), _mm512_set1_ps(f32::NEG_INFINITY));
    for x in x.as_chunks().0 {
        let x = load::floats(x);
        (low, high) = (_mm512_min_ps(low, x), _mm512_max_ps(high, x));
    }
    let (low, high) = (_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high));
    let (inverse, scale) = Rounded256::scale_of(low, high);
    out.scale = scale;
    let inverse = _mm512_set1_ps(inverse);
    let mut sums = [0; 16];
    let words = out.codes.as_chunks_mut::<16>().0.iter_mut().zip(sums.as_chunks_mut::<4>().0);
    for ((words, sums), x) in words.zip(x.as_chunks::<64>().0) {
        for (words, x) in words.as_chunks_mut().0.iter_mut().zip(x.as_chunks().0) {
            round_16(load::floats(x), inverse, words);
        }
        // The sums of four codes, then those of eight and of sixteen, in all lanes that they came from.
        let ones = _mm512_set1_epi8(1);
        let by_4 = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, load::integers(words));
        let by_8 = _mm512_add_epi32(by_4, _mm512_shuffle_epi32::<_MM_PERM_CDAB>(by_4));
        let by_16 = _mm512_add_epi32(by_8, _mm512_shuffle_epi32::<_MM_PERM_BADC>(by_8));
        load::store_every_4(sums, by_16);
    }
    let sums_of_16 = load::integers(&sums);
    let pairs = _mm512_add_epi32(sums_of_16, _mm512_shuffle_epi32::<_MM_PERM_CDAB>(sums_of_16));
    let sums_of_32 = load::every_2(pairs);
    load::store_integers(&mut out.starts[0], _mm512_mullo_epi32(sums_of_16, _mm512_set1_epi32(-4)));
    load::store_integers(&mut out.starts[1], _mm512_mullo_epi32(sums_of_16, _mm512_set1_epi32(-32)));
    load::store_integers(&mut out.starts[2], _mm512_mullo_epi32(sums_of_32, _mm512_set1_epi32(-128)));
    let narrow = _mm512_cvtepi32_epi16(sums_of_16);
    // SAFETY: eight integers are 32 bytes.
    unsafe { _mm256_storeu_si256(out.sums_of_16.as_mut_ptr().cast(), narrow) };
    let narrow = _mm256_castsi256_si128(_mm512_cvtepi32_epi16(sums_of_32));
    // SAFETY: four integers are 16 bytes.
    unsafe { _mm_storeu_si128(out.sums_of_32.as_mut_ptr().cast(), narrow) };
}

/// Rounds up to 256 columns, a multiple of 32, with a scale per 32.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn round_32(x: &[f32], out: &mut Rounded32) {
    *out = Rounded32::ZERO;
    let (x, _) = x.as_chunks::<32>();
    for (block, (x, words)) in x.iter().zip(out.codes.as_chunks_mut::<8>().0).enumerate() {
        let [a, b] = [0, 1].map(|half: usize| &x.as_chunks().0[half]);
        let (a, b) = (load::floats(a), load::floats(b));
        let extreme = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
        let (inverse, scale) = Rounded32::scale_of(extreme);
        let inverse = _mm512_set1_ps(inverse);
        let (words, _) = words.as_chunks_mut();
        let sum = _mm512_add_epi32(round_16(a, inverse, &mut words[0]), round_16(b, inverse, &mut words[1]));
        let sum = _mm512_reduce_add_epi32(sum);
        out.scales[block] = scale;
        out.sums[block] = scale * sum as f32;
        for (starts, offset) in out.starts.iter_mut().zip([8, 16, 128]) {
            starts[block] = -offset * sum;
        }
    }
}

/// Rounds sixteen columns, stores their codes and returns them as integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn round_16(x: __m512, inverse: __m512, words: &mut [i32; 4]) -> __m512i {
    let codes = _mm512_cvtps_epi32(_mm512_mul_ps(inverse, x));
    // SAFETY: four words are 16 bytes.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(codes)) };
    codes
}
