//! The float kernels in AVX-512.

#![expect(
    clippy::inline_always,
    reason = "so that they become part of a function that is compiled for the instructions"
)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm256_loadu_si256, _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps,
    _mm512_cvtph_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_slli_epi32, _mm512_storeu_ps,
};

use crate::cache::prefetch;
use crate::float::FloatTask;
use crate::float::floats::Floats;
use crate::float::kernel::{multiply, multiply_any};
use crate::float::terms::Terms;
use crate::format::Format;
use crate::tile::LANES;

/// Adds the products of a task to its sums.
#[target_feature(enable = "avx512f,fma")]
pub(crate) fn multiply_floats(task: &mut FloatTask<'_>) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { multiply_any::<Zmm>(task) }
}

/// Adds the products of a task with BF16 weights to its sums.
///
/// # Panics
///
/// When the weights are of another format.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn multiply_pairs(task: &mut FloatTask<'_>) {
    assert_eq!(task.format, Format::Bf16, "the instruction multiplies pairs");
    // SAFETY: this function is compiled for the instructions.
    unsafe { multiply::<Zmm, Dots>(task) }
}

/// 16 floats in one register.
#[derive(Clone, Copy)]
struct Zmm(__m512);

impl Floats for Zmm {
    const SUMS: usize = 24;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX-512 F.
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for AVX-512 F and for 16 floats.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: the caller vouches for AVX-512 F and for 16 elements, which are 32 bytes.
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for AVX-512 F and for 16 pairs, which are 64 bytes.
        unsafe { halves(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller vouches for AVX-512 F and for a float.
        Self(unsafe { _mm512_set1_ps(from.read()) })
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for AVX-512 F and for a pair.
        unsafe { halves(_mm512_set1_epi32(from.read().cast_signed())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: a value exists only where AVX-512 F does; the caller vouches for 16 floats.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX-512 F does.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: a value exists only where AVX-512 F does.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: a value exists only where AVX-512 F does.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fnma(self, a: Self, b: Self) -> Self {
        // SAFETY: a value exists only where AVX-512 F does.
        Self(unsafe { _mm512_fnmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    fn prefetch(address: *const u8) {
        prefetch::<true, u8>(address);
    }
}

/// Widens the first and the second BF16 value of 16 pairs.
///
/// # Safety
///
/// The processor must have AVX-512 F.
#[inline(always)]
unsafe fn halves(pairs: __m512i) -> (Zmm, Zmm) {
    // SAFETY: the caller vouches for AVX-512 F.
    unsafe {
        let first = _mm512_slli_epi32::<16>(pairs);
        let second = _mm512_and_si512(pairs, _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed()));
        (Zmm(_mm512_castsi512_ps(first)), Zmm(_mm512_castsi512_ps(second)))
    }
}

/// BF16 pairs, multiplied by `vdpbf16ps`.
struct Dots;

impl Terms<Zmm> for Dots {
    type Weights = __m512bh;
    type Activation = __m512bh;
    const BYTES: usize = 4 * LANES;
    const WEIGHTS: usize = 2;

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m512bh {
        // SAFETY: the caller vouches for AVX-512 and for 64 bytes; both types are 512 bits of anything.
        unsafe { std::mem::transmute(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn activation(from: *const u32) -> __m512bh {
        // SAFETY: the caller vouches for AVX-512 and for a pair; both types are 512 bits of anything.
        unsafe { std::mem::transmute(_mm512_set1_epi32(from.read().cast_signed())) }
    }

    #[inline(always)]
    fn add(sum: Zmm, weights: __m512bh, activation: __m512bh) -> Zmm {
        // SAFETY: only `multiply_pairs` uses these terms, and its caller vouches for AVX-512 BF16.
        Zmm(unsafe { _mm512_dpbf16_ps(sum.0, weights, activation) })
    }

    type Widened = Self;
}
