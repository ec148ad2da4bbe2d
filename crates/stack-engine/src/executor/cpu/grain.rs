//! How much work is worth handing to another thread.

/// Rows of `width` numbers that are worth handing to another thread.
pub(super) fn grain(width: usize) -> usize {
    (GRAIN_NUMBERS / width.max(1)).max(1)
}

/// Twice as many as kernels hand out at a time: the loops that are written here copy and scale, and compute next to
/// nothing.
const GRAIN_NUMBERS: usize = 1 << 14;
