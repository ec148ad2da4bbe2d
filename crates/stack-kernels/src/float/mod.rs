//! Products with weights that are stored as floats: F32, F16 and BF16.
//!
//! One output is the dot product of one row of weights and one row of activations. Every level computes it in the
//! same order, so that all of them return the same bits, for every number of rows and every split of the work:
//!
//! ```text
//! total = 0
//! for each block of 256 columns, in order:
//!     sum = 0
//!     for each column of the block, in order: sum = fma(weight[column], activation[column], sum)
//!     total = total + sum
//! ```
//!
//! BF16 multiplies activations that were rounded to BF16, as the instruction `vdpbf16ps` does, and takes the second column
//! of each pair before the first, because that instruction does. It also flushes subnormal numbers, which the other
//! levels do not: below 1.2e-38 the levels may differ.
//!
//! A vector holds one column (or one pair of columns) of the 16 rows of a group; no kernel ever adds across lanes.

#![expect(
    clippy::inline_always,
    reason = "so that they become part of a function that is compiled for the instructions"
)]

pub(crate) mod floats;
pub(crate) mod kernel;
pub(crate) mod pack;
pub(crate) mod rows;
pub(crate) mod scalar;
pub(crate) mod terms;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use rows::FloatRows;

use crate::buffer::Line;
use crate::format::Format;
use crate::tile::{self, LANES};

/// Columns that are summed on their own before they join the total.
pub(crate) const BLOCK: usize = 256;

/// Rows of activations that a task may have: with 256 columns they take 96 KiB of the second-level cache.
pub(crate) const ROWS: usize = 8 * rows::TILE;

/// A product of some groups of weights with some rows of activations.
pub(crate) struct FloatTask<'a> {
    /// The format of the weights.
    pub(crate) format: Format,
    /// Packed groups, one after the other.
    pub(crate) weights: &'a [Line],
    /// The activations, held for the same format.
    pub(crate) input: &'a FloatRows,
    /// The rows of activations: at most [`ROWS`], beginning with a tile.
    pub(crate) rows: Range<usize>,
    /// The sums that the results are added to: \[row]\[group].
    pub(crate) sums: &'a mut [[f32; LANES]],
}

impl FloatTask<'_> {
    /// Returns the number of groups, having checked every length that the kernels rely on.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit together.
    pub(crate) fn checked_groups(&self) -> usize {
        let lines = tile::group_lines(self.format, self.input.cols());
        assert!(tile::quant_lines(self.format) == 0, "{} is no format of floats", self.format);
        assert!(lines > 0 && self.weights.len().is_multiple_of(lines), "weights are whole groups");
        assert_eq!(self.input.is_paired(), self.format == Format::Bf16, "activations fit the weights");
        assert!(
            self.rows.start.is_multiple_of(rows::TILE) && self.rows.len() <= ROWS,
            "rows are whole tiles"
        );
        assert!(self.rows.end <= self.input.rows(), "rows exist");
        let groups = self.weights.len() / lines;
        assert_eq!(self.sums.len(), self.rows.len() * groups, "one sum for each product");
        groups
    }
}
