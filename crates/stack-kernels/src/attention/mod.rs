//! Attention over pages of keys and values.
//!
//! ```text
//! for each block of query rows × the query heads that share a key head:        # at most 48 query vectors
//!   for each chunk of 256 positions that they see:
//!     for each tile of 64 positions in it:
//!       unpack the keys as whole numbers                                       # once for all vectors
//!       scores = query vectors × keys;  scale, cap, bias, hide
//!       raise the chunk's max; weights = exp(score − max), rounded to whole numbers
//!       unpack the values as whole numbers
//!       accumulator = accumulator · exp(old max − max) + weights × values
//!     merge (max, denominator, accumulator) into those of the block
//!   output = accumulator / denominator
//! ```
//!
//! Products are of whole numbers: keys and values have 12 bits, relative to the largest number of a token's vector, queries
//! 12 to 16, fewer the longer they are (14 for 128 dimensions), and weights 15, relative to the largest of the tile. That is
//! about as exact as half precision, ten times more than BF16, and each sum of products is exact.
//!
//! The order of what is not exact is fixed by positions alone: tile by tile in a chunk, chunk by chunk. Which vectors are
//! computed together, and by which thread, never changes a bit: tokens that a vector does not see add exactly nothing.
//! Where blocks are too few for the threads (the decoding of one sequence), chunks become tasks of their own, and their
//! results are merged in the same order.

mod block;
mod online_softmax;
mod pairs;
mod params;
mod query;
mod schedule;
mod scratch;
mod softmax;
mod tile;
mod workspace;

#[cfg(test)]
mod tests;

use std::sync::PoisonError;

pub use self::params::{AttendSpan, AttentionParams};
pub(crate) use self::scratch::AttentionScratch;

use self::block::{Attend, Finish};
use self::scratch::Shared;
use crate::disjoint::Disjoint;
use crate::kv::Line;
use crate::lanes;
use crate::level::Level;
use crate::pool::Pool;

/// One layer's attention of some tokens.
pub(crate) struct Attention<'a> {
    pub(crate) params: &'a AttentionParams<'a>,
    pub(crate) layer: usize,
    pub(crate) spans: &'a [AttendSpan<'a>],
    /// Rows of all heads' queries.
    pub(crate) q: &'a [f32],
}

impl Attention<'_> {
    /// Writes what each query head sees, rows of all heads' values.
    pub(crate) fn run(&self, level: Level, pool: &Pool, scratch: &AttentionScratch, out: &mut [f32]) {
        let &Self { params, layer, spans, q } = self;
        params.check(layer, spans, q.len(), out.len());
        let mut shared = scratch.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Shared { schedule, partials } = &mut *shared;
        schedule.make(params, spans, pool.threads());
        if partials.len() < schedule.partial_lines() {
            partials.resize(schedule.partial_lines(), Line::ZERO);
        }
        let partials = Disjoint::new(partials.as_mut_slice());
        let out = Disjoint::new(out);
        pool.run_on_workers(schedule.units().len(), &|worker, unit| {
            let unit = &schedule.units()[unit];
            let kernel = Attend { params, layer, spans, q, unit, partials: &partials, out: &out };
            scratch.with_worker(worker, kernel.scratch_lines(), |memory| {
                lanes::run(level, kernel.with_scratch(memory));
            });
        });
        pool.run_on_workers(schedule.split().len(), &|worker, block| {
            let units = &schedule.units()[schedule.split()[block].clone()];
            let kernel = Finish { params, spans, units, partials: &partials, out: &out };
            scratch.with_worker(worker, kernel.scratch_lines(), |memory| {
                lanes::run(level, kernel.with_scratch(memory));
            });
        });
    }
}
