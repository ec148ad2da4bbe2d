//! Epilogues: the last step of a product, from its sums to its output.

use std::ops::Range;

use super::elementwise::Nonlinearity;
use crate::disjoint::Disjoint;
use crate::lanes::{Kernel, Lanes, load_part, store_part};
use crate::matrix::Matrix;
use crate::tile::LANES;

/// The last step of a product, from its sums to its output.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// The sums replace what the output holds.
    Set,
    /// The sums are added to what the output holds.
    Add,
    /// A function of each sum replaces what the output holds.
    Activate(Nonlinearity),
    /// The sums replace what the output holds, multiplied by a function of the product of other weights and the same input.
    Gate {
        /// The other weights, of the same shape, whose format takes the same form of activations.
        weights: &'a Matrix,
        /// The function.
        function: Nonlinearity,
    },
}

impl<'a> Epilogue<'a> {
    /// The weights of the gate, if there is one.
    pub(crate) fn gate(self) -> Option<&'a Matrix> {
        if let Self::Gate { weights, .. } = self { Some(weights) } else { None }
    }
}

/// Stores the sums of some rows of activations and some neighbouring groups of weights.
///
/// It is compiled for each level because whole lines that are written at once leave more requests to memory under way
/// than quarters of lines do.
pub(crate) struct StoreSums<'a> {
    /// Added to the sums of each column.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) epilogue: Epilogue<'a>,
    pub(crate) sums: &'a [[f32; LANES]],
    /// Those of the gate, if there is one.
    pub(crate) gates: &'a [[f32; LANES]],
    pub(crate) order: Order,
    /// Whether results are stored past the caches, as the output is too large for them.
    pub(crate) is_streamed: bool,
    /// Rows of `width` numbers, of which nothing else uses these columns of these rows.
    pub(crate) output: &'a Disjoint<'a, f32>,
    pub(crate) width: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) groups: Range<usize>,
}

/// The order in which sums lie.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// \[row]\[group].
    ByRow,
    /// \[group]\[row].
    ByGroup,
}

impl Kernel for StoreSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (row_stride, group_stride) = match self.order {
            Order::ByRow => (self.groups.len(), 1),
            Order::ByGroup => (1, self.rows.len()),
        };
        let columns = self.groups.start * LANES..(self.groups.end * LANES).min(self.width);
        for (index, row) in self.rows.clone().enumerate() {
            let start = row * self.width;
            // SAFETY: nothing else uses these columns of these rows, and one part is used at a time.
            let output = unsafe { self.output.part(start + columns.start..start + columns.end) };
            let (whole, rest) = output.as_chunks_mut::<LANES>();
            let mut place = index * row_stride;
            let mut column = columns.start;
            for output in whole {
                let result = self.result(lanes, place, column, output);
                if self.is_streamed {
                    // SAFETY: `sfence` follows before this kernel returns, and it does not come back to the line.
                    unsafe { lanes.store_streaming(result, output) };
                } else {
                    lanes.store(result, output);
                }
                place += group_stride;
                column += LANES;
            }
            if !rest.is_empty() {
                store_part(lanes, self.result(lanes, place, column, rest), rest);
            }
        }
        if self.is_streamed {
            lanes.sfence();
        }
    }
}

impl StoreSums<'_> {
    /// The numbers that replace `before`, which begins with this column.
    #[inline(always)]
    fn result<L: Lanes>(&self, lanes: L, place: usize, column: usize, before: &[f32]) -> L::F32 {
        let mut sums = lanes.load(&self.sums[place]);
        if let Some(bias) = self.bias {
            sums = lanes.add(sums, load_part(lanes, &bias[column..column + before.len()], 0.0));
        }
        match self.epilogue {
            Epilogue::Set => sums,
            Epilogue::Add => lanes.add(load_part(lanes, before, 0.0), sums),
            Epilogue::Activate(function) => function.apply(lanes, sums),
            Epilogue::Gate { function, .. } => function.gate(lanes, lanes.load(&self.gates[place]), sums),
        }
    }
}
