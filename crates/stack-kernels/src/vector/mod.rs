//! The kernels for quantized weights, written once for every instruction set that has no kernels of its own.
//!
//! A vector is what the sixteen rows of a group need: sixteen floats, sixteen integers, or a line of 64 bytes, in as
//! many registers as that takes. An instruction set says how these are loaded, combined and, above all, how unsigned
//! bytes are multiplied with signed ones ([`Vectors::products`]); all sums of integers are exact, so that it is free
//! to choose the order of those.

#![expect(
    clippy::inline_always,
    reason = "so that they become part of a function that is compiled for the instructions"
)]

mod gemv;
mod level;
mod multiply;
mod quantize;
pub(crate) mod quants;
mod registers;
mod scales;
mod unpack;

pub(crate) use level::kernels;
pub(crate) use quants::Quants;
pub(crate) use registers::{Bytes, Ints};

use crate::buffer::Line;
use crate::float::FloatTask;
use crate::float::floats::Floats;
use crate::float::kernel::multiply_any;

/// The parts of a level, for [`kernels`] to build its functions of.
pub(crate) mod parts {
    pub(crate) use super::floats;
    pub(crate) use super::gemv::gemv;
    pub(crate) use super::multiply::{accumulate_q8_0, accumulate_q8_k};
    pub(crate) use super::quantize::{quantize_q8_0, quantize_q8_k};
    pub(crate) use super::unpack::unpack;
}

/// An instruction set.
pub(crate) trait Vectors: Copy {
    /// Sixteen floats.
    type Floats: Floats;
    /// Sixteen integers.
    type Ints: Ints<Floats = Self::Floats>;
    /// A line of bytes.
    type Bytes: Bytes;

    /// Multiplies groups of four unsigned bytes in each lane with four signed ones of each of `ROWS` rows, and adds
    /// the products to `compensation`.
    ///
    /// `GROUPS` groups are taken from `group` on of a packed block; `x` points to the first word of each row that is
    /// multiplied with them. Where the quants have eight bits, `compensation` is −128 times the sum of those words' bytes.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type; `block` must point to the lines of a block of `Q`, and
    /// each element of `x` to `GROUPS` words.
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Self::Ints; ROWS];
}

/// Adds the products of float weights to their sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn floats<V: Vectors>(task: &mut FloatTask<'_>) {
    // SAFETY: the caller vouches for the instructions.
    unsafe { multiply_any::<V::Floats>(task) }
}
