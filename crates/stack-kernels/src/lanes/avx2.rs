//! The lanes as two registers of AVX2.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_LT_OQ, _MM_FROUND_TO_NEAREST_INT, _mm_loadl_epi64, _mm_loadu_si128,
    _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_blend_epi16, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castps128_ps256, _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmp_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_cvtps_ph,
    _mm256_div_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_packs_epi32,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_stream_ps, _mm256_sub_ps,
};

use super::{Kernel, LANES, Lanes};
use crate::cache::{prefetch, sfence};

/// A witness of AVX2, FMA and F16C: only [`enter`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// The lower and the upper eight numbers.
type Pair = [__m256; 2];

/// Runs a kernel with AVX2, FMA and F16C switched on.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// Calls an intrinsic that touches no memory.
macro_rules! call {
    ($intrinsic:ident($($argument:expr),*)) => {
        // SAFETY: `self` is a witness that the processor has AVX2, FMA and F16C, all that this intrinsic needs.
        unsafe { $intrinsic($($argument),*) }
    };
}

/// Calls an intrinsic on the lower and on the upper halves.
macro_rules! both {
    ($intrinsic:ident($($argument:ident),*)) => {
        [call!($intrinsic($($argument[0]),*)), call!($intrinsic($($argument[1]),*))]
    };
}

impl Lanes for Avx2 {
    type F32 = Pair;
    type I32 = [__m256i; 2];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Pair {
        let x = call!(_mm256_set1_ps(x));
        [x, x]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Pair {
        let (low, high) = halves(from);
        // SAFETY: the halves are 32 readable bytes each; `self` is a witness of AVX2.
        [unsafe { _mm256_loadu_ps(low.as_ptr()) }, unsafe { _mm256_loadu_ps(high.as_ptr()) }]
    }

    #[inline(always)]
    fn store(self, x: Pair, to: &mut [f32; LANES]) {
        let (low, high) = to.split_at_mut(LANES / 2);
        // SAFETY: this half is 32 writable bytes; `self` is a witness of AVX2.
        unsafe { _mm256_storeu_ps(low.as_mut_ptr(), x[0]) };
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(high.as_mut_ptr(), x[1]) };
    }

    #[inline(always)]
    unsafe fn store_streaming(self, x: Pair, to: &mut [f32; LANES]) {
        if to.as_ptr().addr().is_multiple_of(64) {
            let (low, high) = to.split_at_mut(LANES / 2);
            // SAFETY: the halves are 32 writable bytes each and aligned to that; `self` is a witness of AVX2, and the
            // caller promises the fence.
            unsafe {
                _mm256_stream_ps(low.as_mut_ptr(), x[0]);
                _mm256_stream_ps(high.as_mut_ptr(), x[1]);
            }
        } else {
            self.store(x, to);
        }
    }

    #[inline(always)]
    fn sfence(self) {
        sfence();
    }

    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> Pair {
        let (low, high) = halves(from);
        // SAFETY: this half is 16 readable bytes; `self` is a witness of AVX2.
        let low = unsafe { _mm_loadu_si128(low.as_ptr().cast()) };
        // SAFETY: as above.
        let high = unsafe { _mm_loadu_si128(high.as_ptr().cast()) };
        [call!(_mm256_cvtph_ps(low)), call!(_mm256_cvtph_ps(high))]
    }

    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Pair {
        let (low, high) = halves(from);
        // SAFETY: this half is 8 readable bytes; `self` is a witness of AVX2.
        let low = unsafe { _mm_loadl_epi64(low.as_ptr().cast()) };
        // SAFETY: as above.
        let high = unsafe { _mm_loadl_epi64(high.as_ptr().cast()) };
        let (low, high) = (call!(_mm256_cvtepi8_epi32(low)), call!(_mm256_cvtepi8_epi32(high)));
        [call!(_mm256_cvtepi32_ps(low)), call!(_mm256_cvtepi32_ps(high))]
    }

    #[inline(always)]
    fn store_f16(self, x: Pair, to: &mut [u16; LANES]) {
        let (low, high) = to.split_at_mut(LANES / 2);
        for (half, x) in [low, high].into_iter().zip(x) {
            // SAFETY: `self` is a witness of F16C.
            let bits = unsafe { _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x) };
            // SAFETY: the half is 16 writable bytes; `self` is a witness of AVX2.
            unsafe { _mm_storeu_si128(half.as_mut_ptr().cast(), bits) };
        }
    }

    #[inline(always)]
    fn add(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_div_ps(a, b))
    }

    #[inline(always)]
    fn fma(self, a: Pair, b: Pair, c: Pair) -> Pair {
        both!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Pair, b: Pair) -> Pair {
        both!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn select_less(self, a: Pair, b: Pair, then: Pair, otherwise: Pair) -> Pair {
        // SAFETY: `self` is a witness of AVX2.
        let low = unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0]) };
        // SAFETY: as above.
        let high = unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1]) };
        let less = [low, high];
        both!(_mm256_blendv_ps(otherwise, then, less))
    }

    #[inline(always)]
    fn largest(self, x: Pair) -> f32 {
        let all = call!(_mm256_max_ps(x[0], x[1]));
        // SAFETY: `self` is a witness of AVX2.
        let high = unsafe { _mm256_extractf128_ps::<1>(all) };
        let high = call!(_mm256_castps128_ps256(high));
        let all = call!(_mm256_max_ps(all, high));
        let four = call!(_mm256_castps256_ps128(all));
        let mut numbers = [0.0f32; 4];
        // SAFETY: the array is 16 writable bytes; `self` is a witness of AVX2.
        unsafe { std::arch::x86_64::_mm_storeu_ps(numbers.as_mut_ptr(), four) };
        let [a, b, c, d] = numbers;
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        larger(larger(a, b), larger(c, d))
    }

    #[inline(always)]
    fn power_of_two(self, x: Pair) -> Pair {
        let one = call!(_mm256_set1_epi32(1.0f32.to_bits().cast_signed()));
        let half = |x: __m256| {
            // SAFETY: `self` is a witness of AVX2.
            let exponent = unsafe { _mm256_slli_epi32::<23>(_mm256_castps_si256(x)) };
            let bits = call!(_mm256_add_epi32(exponent, one));
            call!(_mm256_castsi256_ps(bits))
        };
        [half(x[0]), half(x[1])]
    }

    #[inline(always)]
    fn zeros(self) -> Self::I32 {
        [call!(_mm256_setzero_si256()); 2]
    }

    #[inline(always)]
    fn load_pairs(self, from: &[i32; LANES]) -> Self::I32 {
        let (low, high) = halves(from);
        // SAFETY: the halves are 32 readable bytes each; `self` is a witness of AVX2.
        unsafe { [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())] }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: Self::I32, to: &mut [i32; LANES]) {
        let (low, high) = to.split_at_mut(LANES / 2);
        // SAFETY: the halves are 32 writable bytes each; `self` is a witness of AVX2.
        unsafe {
            _mm256_storeu_si256(low.as_mut_ptr().cast(), pairs[0]);
            _mm256_storeu_si256(high.as_mut_ptr().cast(), pairs[1]);
        }
    }

    #[inline(always)]
    fn pair_up(self, lower: Self::I32, higher: Self::I32) -> Self::I32 {
        // The odd 16-bit lanes from one, the even ones from the other.
        let mut pairs = lower;
        for half in 0..2 {
            // SAFETY: `self` is a witness of AVX2.
            let shifted = unsafe { _mm256_slli_epi32::<16>(higher[half]) };
            // SAFETY: as above.
            pairs[half] = unsafe { _mm256_blend_epi16::<0xAA>(lower[half], shifted) };
        }
        pairs
    }

    #[inline(always)]
    fn plus_products(self, sums: Self::I32, pairs: Self::I32, with: i32) -> Self::I32 {
        let with = call!(_mm256_set1_epi32(with));
        let with = [with, with];
        let products = both!(_mm256_madd_epi16(pairs, with));
        both!(_mm256_add_epi32(sums, products))
    }

    #[inline(always)]
    fn to_floats(self, x: Self::I32) -> Pair {
        both!(_mm256_cvtepi32_ps(x))
    }

    #[inline(always)]
    fn round(self, x: Pair) -> Self::I32 {
        both!(_mm256_cvtps_epi32(x))
    }

    #[inline(always)]
    fn store_neighbours(self, x: Self::I32, to: &mut [i32; LANES / 2]) {
        // The low halves of both registers, in the order 0–3, 8–11, 4–7, 12–15.
        let crossed = call!(_mm256_packs_epi32(x[0], x[1]));
        // SAFETY: `self` is a witness of AVX2.
        let halves = unsafe { _mm256_permute4x64_epi64::<0b11_01_10_00>(crossed) };
        // SAFETY: the array is 32 writable bytes; `self` is a witness of AVX2.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), halves) }
    }

    #[inline(always)]
    fn prefetch<T>(self, at: &T) {
        prefetch::<false, T>(at);
    }

    #[inline(always)]
    fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` is a witness of AVX2, FMA and F16C.
        unsafe { enter(kernel) }
    }
}

#[inline(always)]
fn halves<T>(all: &[T; LANES]) -> (&[T], &[T]) {
    all.split_at(LANES / 2)
}
