//! Sixteen integers, and lines of bytes, in NEON.

use std::arch::aarch64::{
    int32x4_t, uint8x16_t, vaddq_s32, vandq_s32, vandq_u8, vcvtq_f32_s32, vdupq_n_s32, vdupq_n_u8,
    vget_high_s16, vget_high_u16, vget_low_s8, vget_low_s16, vget_low_u8, vget_low_u16, vld1q_s8, vld1q_s32,
    vld1q_u8, vld1q_u16, vmaxq_s32, vmovl_high_s8, vmovl_high_u8, vmovl_s8, vmovl_s16, vmovl_u8, vmovl_u16,
    vmull_high_s16, vmull_s16, vorrq_s32, vorrq_u8, vpaddq_s32, vqtbl1q_u8, vreinterpretq_f32_s32,
    vreinterpretq_s16_s32, vreinterpretq_s32_u32, vreinterpretq_u32_s32, vshlq_n_s32, vshlq_n_u8, vshrq_n_u8,
    vshrq_n_u32, vst1q_s32, vst1q_u8,
};

use super::float::Floats;
use crate::buffer::Line;
use crate::vector;

/// Sixteen integers in four registers.
#[derive(Clone, Copy)]
pub(crate) struct Ints(pub(super) [int32x4_t; 4]);

impl Ints {
    /// Combines each two registers of both.
    #[inline(always)]
    fn zip(mut self, other: Self, combine: impl Fn(int32x4_t, int32x4_t) -> int32x4_t) -> Self {
        for quarter in 0..4 {
            self.0[quarter] = combine(self.0[quarter], other.0[quarter]);
        }
        self
    }
}

impl vector::Ints for Ints {
    type Floats = Floats;

    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        // SAFETY: the caller vouches for NEON.
        Self([unsafe { vdupq_n_s32(value) }; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller vouches for NEON and for sixteen integers.
        unsafe {
            Self([vld1q_s32(from), vld1q_s32(from.add(4)), vld1q_s32(from.add(8)), vld1q_s32(from.add(12))])
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller vouches for NEON and for sixteen bytes.
        unsafe {
            let bytes = vld1q_u8(from);
            let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
            let parts = [vget_low_u16(low), vget_high_u16(low), vget_low_u16(high), vget_high_u16(high)];
            Self(parts.map(|part| vreinterpretq_s32_u32(vmovl_u16(part))))
        }
    }

    #[inline(always)]
    unsafe fn load_signed_bytes(from: *const i8) -> Self {
        // SAFETY: the caller vouches for NEON and for sixteen bytes.
        unsafe {
            let bytes = vld1q_s8(from);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            let parts = [vget_low_s16(low), vget_high_s16(low), vget_low_s16(high), vget_high_s16(high)];
            Self(parts.map(|part| vmovl_s16(part)))
        }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller vouches for NEON and for 32 bytes.
        unsafe {
            let (low, high) = (vld1q_u16(from), vld1q_u16(from.add(8)));
            let parts = [vget_low_u16(low), vget_high_u16(low), vget_low_u16(high), vget_high_u16(high)];
            Self(parts.map(|part| vreinterpretq_s32_u32(vmovl_u16(part))))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        for (quarter, values) in self.0.into_iter().enumerate() {
            // SAFETY: a value exists only where NEON does; the caller vouches for sixteen integers.
            unsafe { vst1q_s32(to.add(4 * quarter), values) };
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value exists only where NEON does.
        self.zip(other, |a, b| unsafe { vaddq_s32(a, b) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: a value exists only where NEON does.
        self.zip(other, |a, b| unsafe { vmaxq_s32(a, b) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: a value exists only where NEON does.
        self.zip(other, |a, b| unsafe { vandq_s32(a, b) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: a value exists only where NEON does.
        self.zip(other, |a, b| unsafe { vorrq_s32(a, b) })
    }

    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where NEON does.
        Self(self.0.map(|values| unsafe { vshlq_n_s32::<N>(values) }))
    }

    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        Self(self.0.map(|values| {
            // SAFETY: a value exists only where NEON does.
            unsafe { vreinterpretq_s32_u32(vshrq_n_u32::<N>(vreinterpretq_u32_s32(values))) }
        }))
    }

    #[inline(always)]
    fn madd_pairs(self, a: Self, b: Self) -> Self {
        let products = a.zip(b, |a, b| {
            // SAFETY: a value exists only where NEON does.
            unsafe {
                let (a, b) = (vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
                vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b))
            }
        });
        self.add(products)
    }

    #[inline(always)]
    fn to_floats(self) -> Floats {
        // SAFETY: a value exists only where NEON does.
        Floats(self.0.map(|values| unsafe { vcvtq_f32_s32(values) }))
    }

    #[inline(always)]
    fn as_floats(self) -> Floats {
        // SAFETY: a value exists only where NEON does.
        Floats(self.0.map(|values| unsafe { vreinterpretq_f32_s32(values) }))
    }
}

/// A line in four registers.
#[derive(Clone, Copy)]
pub(crate) struct Bytes(pub(super) [uint8x16_t; 4]);

impl vector::Bytes for Bytes {
    #[inline(always)]
    unsafe fn load(from: *const Line) -> Self {
        let from: *const u8 = from.cast();
        // SAFETY: the caller vouches for NEON and for a line, which is 64 bytes.
        unsafe {
            Self([vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))])
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut Line) {
        for (quarter, bytes) in self.0.into_iter().enumerate() {
            // SAFETY: a value exists only where NEON does; the caller vouches for a line, which is 64 bytes.
            unsafe { vst1q_u8(to.cast::<u8>().add(16 * quarter), bytes) };
        }
    }

    #[inline(always)]
    fn and(self, bits: u8) -> Self {
        // SAFETY: a value exists only where NEON does.
        Self(self.0.map(|bytes| unsafe { vandq_u8(bytes, vdupq_n_u8(bits)) }))
    }

    #[inline(always)]
    fn or(mut self, other: Self) -> Self {
        for quarter in 0..4 {
            // SAFETY: a value exists only where NEON does.
            self.0[quarter] = unsafe { vorrq_u8(self.0[quarter], other.0[quarter]) };
        }
        self
    }

    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where NEON does.
        Self(self.0.map(|bytes| unsafe { vshlq_n_u8::<N>(bytes) }))
    }

    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        // SAFETY: a value exists only where NEON does.
        Self(self.0.map(|bytes| unsafe { vshrq_n_u8::<N>(bytes) }))
    }

    #[inline(always)]
    fn look_up(self, table: &[u8; 16]) -> Self {
        // SAFETY: a value exists only where NEON does; the table has sixteen bytes.
        Self(self.0.map(|bytes| unsafe { vqtbl1q_u8(vld1q_u8(table.as_ptr()), bytes) }))
    }
}
