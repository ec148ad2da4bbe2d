//! Sixteen floats in NEON.

use std::arch::aarch64::{
    float32x4_t, uint32x4_t, vaddq_f32, vandq_u32, vcvt_f32_f16, vdupq_n_f32, vdupq_n_u32, vfmaq_f32,
    vfmsq_f32, vld1_u16, vld1q_f32, vld1q_u32, vmulq_f32, vreinterpret_f16_u16, vreinterpretq_f32_u32,
    vshlq_n_u32, vst1q_f32,
};
use std::arch::asm;

use crate::float::floats;

/// Sixteen floats in four registers.
#[derive(Clone, Copy)]
pub(crate) struct Floats(pub(super) [float32x4_t; 4]);

impl floats::Floats for Floats {
    const SUMS: usize = 6;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for NEON.
        Self([unsafe { vdupq_n_f32(0.0) }; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for NEON and for 16 floats.
        unsafe {
            Self([vld1q_f32(from), vld1q_f32(from.add(4)), vld1q_f32(from.add(8)), vld1q_f32(from.add(12))])
        }
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: the caller vouches for NEON and for 16 elements.
        unsafe {
            Self([
                four_halves(from),
                four_halves(from.add(4)),
                four_halves(from.add(8)),
                four_halves(from.add(12)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for NEON and for 16 pairs.
        unsafe {
            let (a, b) = (halves(vld1q_u32(from)), halves(vld1q_u32(from.add(4))));
            let (c, d) = (halves(vld1q_u32(from.add(8))), halves(vld1q_u32(from.add(12))));
            (Self([a.0, b.0, c.0, d.0]), Self([a.1, b.1, c.1, d.1]))
        }
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller vouches for NEON and for a float.
        Self([unsafe { vdupq_n_f32(from.read()) }; 4])
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const u32) -> (Self, Self) {
        // SAFETY: the caller vouches for NEON and for a pair.
        let (first, second) = unsafe { halves(vdupq_n_u32(from.read())) };
        (Self([first; 4]), Self([second; 4]))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        for (quarter, values) in self.0.into_iter().enumerate() {
            // SAFETY: a value exists only where NEON does; the caller vouches for 16 floats.
            unsafe { vst1q_f32(to.add(4 * quarter), values) };
        }
    }

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for quarter in 0..4 {
            // SAFETY: a value exists only where NEON does.
            self.0[quarter] = unsafe { vaddq_f32(self.0[quarter], other.0[quarter]) };
        }
        self
    }

    #[inline(always)]
    fn fma(mut self, a: Self, b: Self) -> Self {
        for quarter in 0..4 {
            // SAFETY: a value exists only where NEON does.
            self.0[quarter] = unsafe { vfmaq_f32(self.0[quarter], a.0[quarter], b.0[quarter]) };
        }
        self
    }

    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for quarter in 0..4 {
            // SAFETY: a value exists only where NEON does.
            self.0[quarter] = unsafe { vmulq_f32(self.0[quarter], other.0[quarter]) };
        }
        self
    }

    #[inline(always)]
    fn fnma(mut self, a: Self, b: Self) -> Self {
        for quarter in 0..4 {
            // SAFETY: a value exists only where NEON does.
            self.0[quarter] = unsafe { vfmsq_f32(self.0[quarter], a.0[quarter], b.0[quarter]) };
        }
        self
    }

    #[inline(always)]
    fn prefetch(address: *const u8) {
        // SAFETY: the instruction is part of every 64-bit Arm processor and never faults.
        unsafe {
            asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags))
        };
    }
}

/// Reads four half-precision floats.
///
/// # Safety
///
/// The processor must have NEON, and four elements must be readable at `from`.
#[inline(always)]
unsafe fn four_halves(from: *const u16) -> float32x4_t {
    // SAFETY: the caller vouches for NEON and for the elements.
    unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))) }
}

/// Widens the first and the second BF16 value of four pairs.
///
/// # Safety
///
/// The processor must have NEON.
#[inline(always)]
unsafe fn halves(pairs: uint32x4_t) -> (float32x4_t, float32x4_t) {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        let first = vshlq_n_u32::<16>(pairs);
        let second = vandq_u32(pairs, vdupq_n_u32(0xFFFF_0000));
        (vreinterpretq_f32_u32(first), vreinterpretq_f32_u32(second))
    }
}
