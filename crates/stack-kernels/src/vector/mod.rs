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
mod scales;
mod unpack;

pub(crate) use level::kernels;
pub(crate) use quants::Quants;

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

/// Sixteen 32-bit integers, one for each row of a group.
///
/// As with [`Floats`], only unsafe functions make a value, and whoever calls them vouches for the processor.
pub(crate) trait Ints: Copy {
    /// The floats of the same instruction set.
    type Floats: Floats;

    /// Returns the same integer in all lanes.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type.
    unsafe fn splat(value: i32) -> Self;

    /// Reads sixteen integers.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and sixteen integers must be readable at `from`.
    unsafe fn load(from: *const i32) -> Self;

    /// Reads sixteen unsigned bytes.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and sixteen bytes must be readable at `from`.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// Reads sixteen signed bytes.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and sixteen bytes must be readable at `from`.
    unsafe fn load_signed_bytes(from: *const i8) -> Self;

    /// Reads sixteen unsigned 16-bit integers.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and 32 bytes must be readable at `from`.
    unsafe fn load_halves(from: *const u16) -> Self;

    /// Writes sixteen integers.
    ///
    /// # Safety
    ///
    /// Sixteen integers must be writable at `to`.
    unsafe fn store(self, to: *mut i32);

    /// Adds lane by lane.
    fn add(self, other: Self) -> Self;

    /// Returns the greater of each two.
    fn max(self, other: Self) -> Self;

    /// Keeps the bits that both have.
    fn and(self, other: Self) -> Self;

    /// Joins the bits of both.
    fn or(self, other: Self) -> Self;

    /// Shifts zeros in from below.
    fn shl<const N: i32>(self) -> Self;

    /// Shifts zeros in from above.
    fn shr<const N: i32>(self) -> Self;

    /// Adds the products of the two signed 16-bit halves of `a` and `b`.
    fn madd_pairs(self, a: Self, b: Self) -> Self;

    /// Rounds to floats.
    fn to_floats(self) -> Self::Floats;

    /// Takes the bits for those of floats.
    fn as_floats(self) -> Self::Floats;
}

/// A line: four bytes for each row of a group.
pub(crate) trait Bytes: Copy {
    /// Reads a line.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and `from` must point to a line.
    unsafe fn load(from: *const Line) -> Self;

    /// Writes a line.
    ///
    /// # Safety
    ///
    /// `to` must point to a line.
    unsafe fn store(self, to: *mut Line);

    /// Keeps these bits of each byte.
    fn and(self, bits: u8) -> Self;

    /// Joins the bits of both.
    fn or(self, other: Self) -> Self;

    /// Shifts each byte up; what enters it from below is unspecified, so that [`and`](Self::and) must follow.
    fn shl<const N: i32>(self) -> Self;

    /// Shifts each byte down; what enters it from above is unspecified, so that [`and`](Self::and) must follow.
    fn shr<const N: i32>(self) -> Self;

    /// Replaces each byte, which must be below 16, by what the table has for it.
    fn look_up(self, table: &[u8; 16]) -> Self;
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
