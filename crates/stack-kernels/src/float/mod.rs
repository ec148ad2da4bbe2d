//! Products with weights that are stored as floats: F32, F16 and BF16.
//!
//! One output is the dot product of one row of weights and one row of activations. Every level computes it in the
//! same order, so that all of them return the same bits, for every number of rows and every split of the work:
//!
//! ```text
//! total = 0
//! for each block of 256 k, in order:
//!     sum = 0
//!     for each k of the block, in order: sum = fma(weight[k], activation[k], sum)
//!     total = total + sum
//! ```
//!
//! BF16 multiplies activations that were rounded to BF16, as the instruction `vdpbf16ps` does, and takes the second k
//! of each pair before the first, because that instruction does. It also flushes subnormal numbers, which the other
//! levels do not: below 1.2e-38 the levels may differ.
//!
//! Weights of 16 output rows form a group. F32 and F16 lie as `[k][16]`, BF16 as `[k / 2][16][2]`, so that one vector
//! holds one k (or one pair) of 16 rows and no kernel ever adds across lanes. Groups of 16-bit weights end on a cache
//! line: an odd last k has a column of zeros beside it.

pub(crate) mod kernel;
pub(crate) mod lanes;
pub(crate) mod pack;
pub(crate) mod rows;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

use self::rows::FloatRows;

/// Output rows of a group, interleaved in memory.
pub(crate) const GROUP: usize = 16;

/// Steps of k that are summed on their own before they join the total.
pub(crate) const BLOCK: usize = 256;

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatFormat {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision, multiplied in pairs with activations of the same kind.
    Bf16,
}

impl FloatFormat {
    /// Bytes of one weight.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Bytes of one packed group of 16 rows with `cols` weights each.
    pub(crate) const fn group_bytes(self, cols: usize) -> usize {
        let cols = match self {
            Self::F16 | Self::Bf16 => cols.next_multiple_of(2),
            Self::F32 => cols,
        };
        cols * GROUP * self.bytes()
    }
}

/// A product of some groups of weights with all rows of activations.
pub(crate) struct FloatTask<'a> {
    /// How the weights are stored.
    pub(crate) format: FloatFormat,
    /// Packed groups, one after the other.
    pub(crate) weights: &'a [u8],
    /// The activations, packed for the same format.
    pub(crate) input: &'a FloatRows,
    /// Where the results are added: `[rows of activations][rows of weights]`.
    pub(crate) sums: &'a mut [f32],
}

impl FloatTask<'_> {
    /// Returns the number of groups, having checked every length that the kernels rely on.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit together.
    pub(crate) fn checked_groups(&self) -> usize {
        let group_bytes = self.format.group_bytes(self.input.cols());
        assert!(group_bytes > 0 && self.weights.len().is_multiple_of(group_bytes), "weights are whole groups");
        let groups = self.weights.len() / group_bytes;
        assert_eq!(self.input.pairs(), self.format == FloatFormat::Bf16, "activations fit the weights");
        assert_eq!(self.sums.len(), self.input.rows() * groups * GROUP, "one sum for each product");
        groups
    }
}
