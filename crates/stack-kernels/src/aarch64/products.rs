//! Products of bytes in NEON: by widening multiplications, dot products, or matrix products.

use std::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, uint8x16_t, vaddq_s32, vcombine_s8, vdupq_n_s16, vdupq_n_s32,
    vdupq_n_u8, veorq_u8, vget_low_s8, vld1_s8, vmlal_high_s8, vmlal_s8, vpaddlq_s16, vpaddq_s32,
    vreinterpretq_s8_s32, vreinterpretq_s8_u8, vreinterpretq_s32_s8, vuzp1q_s32, vuzp2q_s32, vzip1q_s32,
    vzip2q_s32,
};
use std::arch::asm;

use super::float::Floats;
use super::integer::{Bytes, Ints};
use crate::buffer::Line;
use crate::vector::{Ints as _, Quants, Vectors};

/// The instructions of every 64-bit processor: products of 16 bits, summed in pairs in 32.
#[derive(Clone, Copy)]
pub(crate) struct Widening;

impl Vectors for Widening {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // Products that fit 16 bits: 8 of 31 · 127, 4 of 63 · 127, 2 of 128 · 127.
        let together = match Q::BITS {
            4 | 5 => 8,
            6 => 4,
            _ => 2,
        };
        // SAFETY: the caller vouches for NEON, for the lines of the block and for `GROUPS` words of each row.
        unsafe {
            let mut sums = begin::<Q, ROWS>(compensation);
            for first in (0..GROUPS).step_by(together) {
                let mut shorts = [[(vdupq_n_s16(0), vdupq_n_s16(0)); 4]; ROWS];
                for step in first..GROUPS.min(first + together) {
                    let quants = signed::<Q>(block, group + step);
                    for row in 0..ROWS {
                        let x = vreinterpretq_s8_s32(vdupq_n_s32(x[row].add(step).read()));
                        for quarter in 0..4 {
                            let (low, high) = &mut shorts[row][quarter];
                            *low = vmlal_s8(*low, vget_low_s8(quants[quarter]), vget_low_s8(x));
                            *high = vmlal_high_s8(*high, quants[quarter], x);
                        }
                    }
                }
                for row in 0..ROWS {
                    for quarter in 0..4 {
                        let (low, high) = shorts[row][quarter];
                        sums[row].0[quarter] = vaddq_s32(sums[row].0[quarter], sums_of_four(low, high));
                    }
                }
            }
            sums
        }
    }
}

/// Adds each four neighbours.
///
/// # Safety
///
/// The processor must have NEON.
#[inline(always)]
unsafe fn sums_of_four(low: int16x8_t, high: int16x8_t) -> int32x4_t {
    // SAFETY: the caller vouches for NEON.
    unsafe { vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)) }
}

/// The dot product of four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Products;

impl Vectors for Products {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // SAFETY: the caller vouches for dot products, for the lines of the block and for `GROUPS` words of each row.
        unsafe {
            let mut sums = begin::<Q, ROWS>(compensation);
            for step in 0..GROUPS {
                let quants = signed::<Q>(block, group + step);
                for row in 0..ROWS {
                    let x = vreinterpretq_s8_s32(vdupq_n_s32(x[row].add(step).read()));
                    for quarter in 0..4 {
                        sums[row].0[quarter] = dot(sums[row].0[quarter], quants[quarter], x);
                    }
                }
            }
            sums
        }
    }
}

/// The product of two rows of eight bytes with two others, for each two rows of activations.
#[derive(Clone, Copy)]
pub(crate) struct MatrixProducts;

impl Vectors for MatrixProducts {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Ints; ROWS] {
        if !ROWS.is_multiple_of(2) {
            // SAFETY: the caller vouches for all of it.
            return unsafe { Products::products::<Q, GROUPS, ROWS>(block, group, x, compensation) };
        }
        // SAFETY: the caller vouches for matrix products, for the lines of the block and for `GROUPS` words of each
        // row; both numbers of groups are even.
        unsafe {
            let mut sums = begin::<Q, ROWS>(compensation);
            for pair in 0..ROWS / 2 {
                // Each holds two rows of weights for two of activations.
                let mut squares = [[vdupq_n_s32(0); 2]; 4];
                for step in (0..GROUPS).step_by(2) {
                    let first = signed::<Q>(block, group + step);
                    let second = signed::<Q>(block, group + step + 1);
                    let low = vld1_s8(x[2 * pair].add(step).cast());
                    let x = vcombine_s8(low, vld1_s8(x[2 * pair + 1].add(step).cast()));
                    for quarter in 0..4 {
                        let (upper, lower) = rows_of_eight(first[quarter], second[quarter]);
                        squares[quarter][0] = matrix(squares[quarter][0], upper, x);
                        squares[quarter][1] = matrix(squares[quarter][1], lower, x);
                    }
                }
                for quarter in 0..4 {
                    let [upper, lower] = squares[quarter];
                    let (even, odd) = (vuzp1q_s32(upper, lower), vuzp2q_s32(upper, lower));
                    sums[2 * pair].0[quarter] = vaddq_s32(sums[2 * pair].0[quarter], even);
                    sums[2 * pair + 1].0[quarter] = vaddq_s32(sums[2 * pair + 1].0[quarter], odd);
                }
            }
            sums
        }
    }
}

/// Puts the two groups of four columns of each row beside each other: those of the first two rows, then of the others.
///
/// # Safety
///
/// The processor must have NEON.
#[inline(always)]
unsafe fn rows_of_eight(first: int8x16_t, second: int8x16_t) -> (int8x16_t, int8x16_t) {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        let (first, second) = (vreinterpretq_s32_s8(first), vreinterpretq_s32_s8(second));
        let (upper, lower) = (vzip1q_s32(first, second), vzip2q_s32(first, second));
        (vreinterpretq_s8_s32(upper), vreinterpretq_s8_s32(lower))
    }
}

/// Begins sums at their compensation, which quants of eight bits, made signed, do not need.
///
/// # Safety
///
/// The processor must have NEON.
#[inline(always)]
unsafe fn begin<Q: Quants, const ROWS: usize>(compensation: [i32; ROWS]) -> [Ints; ROWS] {
    // SAFETY: the caller vouches for NEON.
    compensation.map(|value| unsafe { Ints::splat(if Q::BITS == 8 { 0 } else { value }) })
}

/// Returns a group of quants as signed bytes; 128 is subtracted from those of eight bits.
///
/// # Safety
///
/// The processor must have NEON; otherwise as for [`Quants::group`].
#[inline(always)]
unsafe fn signed<Q: Quants>(block: *const Line, group: usize) -> [int8x16_t; 4] {
    // SAFETY: the caller vouches for all of it.
    let quants = unsafe { Q::group::<Bytes>(block, group) };
    quants.0.map(|quants: uint8x16_t| {
        // SAFETY: the caller vouches for NEON.
        unsafe {
            let quants = if Q::BITS == 8 { veorq_u8(quants, vdupq_n_u8(0x80)) } else { quants };
            vreinterpretq_s8_u8(quants)
        }
    })
}

/// Adds the dot products of each four bytes: `sdot`, whose intrinsic is not stable.
///
/// # Safety
///
/// The processor must have dot products.
#[inline(always)]
unsafe fn dot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the caller vouches for the instruction, which touches nothing but these registers.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums, in(vreg) a, in(vreg) b, options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Adds the products of two rows of eight bytes with two others: `smmla`, whose intrinsic is not stable.
///
/// # Safety
///
/// The processor must have matrix products.
#[inline(always)]
unsafe fn matrix(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the caller vouches for the instruction, which touches nothing but these registers.
    unsafe {
        asm!(
            "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums, in(vreg) a, in(vreg) b, options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}
