//! Integers and bytes in registers.

use crate::buffer::Line;
use crate::float::floats::Floats;

/// Sixteen 32-bit integers, one for each row of a group.
///
/// As with [`Floats`], only unsafe functions make a value, and their callers vouch for the processor.
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
