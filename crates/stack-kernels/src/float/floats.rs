//! The interface of an instruction set to the float kernels.

/// One float for each of the 16 rows of a group.
///
/// The makers of values are unsafe: their callers know that the processor has the instructions of the implementing
/// type, which is why the methods on values are safe. Implementations inline always, so that they end up in a function
/// that was compiled for those instructions.
pub(crate) trait Floats: Copy {
    /// Sums of a tile that the registers hold beside its operands.
    const SUMS: usize;

    /// Rows of activations that a tile has at most.
    const ROWS: usize;

    /// Returns zeros.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type.
    unsafe fn zero() -> Self;

    /// Reads 16 floats.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and 16 floats must be readable at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// Reads 16 half-precision floats, which become single-precision ones.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and 16 elements must be readable at `from`.
    unsafe fn load_half(from: *const u16) -> Self;

    /// Reads 16 pairs of BF16 values: the first ones, and the second ones.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and 16 pairs must be readable at `from`.
    unsafe fn load_pairs(from: *const u32) -> (Self, Self);

    /// Reads one float into all lanes.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and a float must be readable at `from`.
    unsafe fn splat(from: *const f32) -> Self;

    /// Reads one pair of BF16 values into all lanes: the first one, and the second one.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of this type, and a pair must be readable at `from`.
    unsafe fn splat_pair(from: *const u32) -> (Self, Self);

    /// Writes 16 floats.
    ///
    /// # Safety
    ///
    /// 16 floats must be writable at `to`.
    unsafe fn store(self, to: *mut f32);

    /// Adds lane by lane.
    fn add(self, other: Self) -> Self;

    /// Returns `self + a * b`, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;

    /// Multiplies lane by lane.
    fn mul(self, other: Self) -> Self;

    /// Returns `self - a * b`, rounded once.
    fn fnma(self, a: Self, b: Self) -> Self;

    /// Hints that a line will be read soon. The address may be anything.
    fn prefetch(address: *const u8);
}
