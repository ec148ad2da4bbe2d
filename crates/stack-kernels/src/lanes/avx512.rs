//! The lanes as one register of AVX-512.

use std::arch::x86_64::{
    __m512, __m512i, _CMP_LT_OQ, _MM_FROUND_TO_NEAREST_INT, _mm_loadu_si128, _mm256_loadu_si256,
    _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cmp_ps_mask, _mm512_cvtepi8_epi32, _mm512_cvtepi32_epi16, _mm512_cvtepi32_ps, _mm512_cvtph_ps,
    _mm512_cvtps_epi32, _mm512_cvtps_ph, _mm512_div_ps, _mm512_dpwssd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi16, _mm512_mask_blend_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_stream_ps,
    _mm512_sub_ps,
};

use super::{Kernel, LANES, Lanes};
use crate::cache::{prefetch, sfence};

/// A witness of AVX-512: only [`enter`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Runs a kernel with AVX-512 switched on.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// Calls an intrinsic that touches no memory.
macro_rules! call {
    ($intrinsic:ident($($argument:expr),*)) => {
        // SAFETY: `self` is a witness that the processor has AVX-512, all that this intrinsic needs.
        unsafe { $intrinsic($($argument),*) }
    };
}

impl Lanes for Avx512 {
    type F32 = __m512;
    type I32 = __m512i;

    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        call!(_mm512_set1_ps(x))
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: the array is 64 readable bytes; `self` is a witness of AVX-512.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        // SAFETY: the array is 64 writable bytes; `self` is a witness of AVX-512.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }

    #[inline(always)]
    unsafe fn store_streaming(self, x: __m512, to: &mut [f32; LANES]) {
        if to.as_ptr().addr().is_multiple_of(64) {
            // SAFETY: the array is 64 writable bytes and begins a line; `self` is a witness of AVX-512, and the caller
            // promises the fence.
            unsafe { _mm512_stream_ps(to.as_mut_ptr(), x) }
        } else {
            self.store(x, to);
        }
    }

    #[inline(always)]
    fn sfence(self) {
        sfence();
    }

    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> __m512 {
        // SAFETY: the array is 32 readable bytes; `self` is a witness of AVX-512.
        let half = unsafe { _mm256_loadu_si256(from.as_ptr().cast()) };
        call!(_mm512_cvtph_ps(half))
    }

    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> __m512 {
        // SAFETY: the array is 16 readable bytes; `self` is a witness of AVX-512.
        let bytes = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
        let wide = call!(_mm512_cvtepi8_epi32(bytes));
        call!(_mm512_cvtepi32_ps(wide))
    }

    #[inline(always)]
    fn store_f16(self, x: __m512, to: &mut [u16; LANES]) {
        // SAFETY: `self` is a witness of AVX-512.
        let half = unsafe { _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x) };
        // SAFETY: the array is 32 writable bytes; `self` is a witness of AVX-512.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), half) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        call!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        call!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn select_less(self, a: __m512, b: __m512, then: __m512, otherwise: __m512) -> __m512 {
        // SAFETY: `self` is a witness of AVX-512.
        let less = unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) };
        call!(_mm512_mask_blend_ps(less, otherwise, then))
    }

    #[inline(always)]
    fn largest(self, x: __m512) -> f32 {
        call!(_mm512_reduce_max_ps(x))
    }

    #[inline(always)]
    fn power_of_two(self, x: __m512) -> __m512 {
        let bits = call!(_mm512_castps_si512(x));
        // SAFETY: `self` is a witness of AVX-512.
        let exponent = unsafe { _mm512_slli_epi32::<23>(bits) };
        let one = call!(_mm512_set1_epi32(1.0f32.to_bits().cast_signed()));
        let bits = call!(_mm512_add_epi32(exponent, one));
        call!(_mm512_castsi512_ps(bits))
    }

    #[inline(always)]
    fn zeros(self) -> __m512i {
        call!(_mm512_setzero_si512())
    }

    #[inline(always)]
    fn load_pairs(self, from: &[i32; LANES]) -> __m512i {
        // SAFETY: the array is 64 readable bytes; `self` is a witness of AVX-512.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: __m512i, to: &mut [i32; LANES]) {
        // SAFETY: the array is 64 writable bytes; `self` is a witness of AVX-512.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs) }
    }

    #[inline(always)]
    fn pair_up(self, lower: __m512i, higher: __m512i) -> __m512i {
        // SAFETY: `self` is a witness of AVX-512.
        let shifted = unsafe { _mm512_slli_epi32::<16>(higher) };
        // The odd 16-bit lanes from one, the even ones from the other.
        call!(_mm512_mask_blend_epi16(0xAAAA_AAAA, lower, shifted))
    }

    #[inline(always)]
    fn plus_products(self, sums: __m512i, pairs: __m512i, with: i32) -> __m512i {
        let with = call!(_mm512_set1_epi32(with));
        call!(_mm512_dpwssd_epi32(sums, pairs, with))
    }

    #[inline(always)]
    fn to_floats(self, x: __m512i) -> __m512 {
        call!(_mm512_cvtepi32_ps(x))
    }

    #[inline(always)]
    fn round(self, x: __m512) -> __m512i {
        call!(_mm512_cvtps_epi32(x))
    }

    #[inline(always)]
    fn store_neighbours(self, x: __m512i, to: &mut [i32; LANES / 2]) {
        let halves = call!(_mm512_cvtepi32_epi16(x));
        // SAFETY: the array is 32 writable bytes; `self` is a witness of AVX-512.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), halves) }
    }

    #[inline(always)]
    fn prefetch<T>(self, at: &T) {
        prefetch::<false, T>(at);
    }

    #[inline(always)]
    fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` is a witness of AVX-512.
        unsafe { enter(kernel) }
    }
}
