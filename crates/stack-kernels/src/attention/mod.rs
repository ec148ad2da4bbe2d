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
//! The order of what is not exact is fixed by positions alone: tile by tile in a chunk, chunk by chunk. Which vectors are computed together, and by whom,
//! never changes a bit: tokens that a vector does not see add exactly nothing. Where blocks are too few for the threads
//! (the decoding of one sequence), chunks become tasks of their own, and their results are merged in the same order.

mod block;
mod online_softmax;
mod pairs;
mod query;
mod schedule;
mod softmax;
mod tile;
mod workspace;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use self::block::{Attend, Finish};
use self::schedule::Schedule;
use crate::cpu::{Cpu, PerWorker};
use crate::disjoint::Disjoint;
use crate::kv::{KvSequence, Line};
use crate::lanes;

/// The parameters by which one layer attends.
#[derive(Clone, Copy)]
pub struct AttentionParams<'a> {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Length of a query or key.
    pub key_length: usize,
    /// Length of a value.
    pub value_length: usize,
    /// Multiplies q·k.
    pub scale: f32,
    /// Bounds scores by c · tanh(x / c).
    pub softcap: Option<f32>,
    /// Biases each head's scores by this times the distance, negated (`ALiBi`, arXiv:2108.12409).
    pub slopes: Option<&'a [f32]>,
    /// One extra score per head that takes weight but adds nothing.
    pub sinks: Option<&'a [f32]>,
    /// Returns the first position that a token at a position sees; without it, a token sees all before it.
    pub first_seen: Option<&'a (dyn Fn(usize) -> usize + Sync)>,
}

/// Some consecutive tokens of one sequence that attend. Their own keys and values are already stored.
#[derive(Clone)]
pub struct AttendSpan<'a> {
    /// Their sequence.
    pub sequence: &'a KvSequence,
    /// The position of the first one.
    pub position: usize,
    /// Their rows in the batch.
    pub rows: Range<usize>,
}

/// Workspace that outlives one call, so that a token allocates nothing.
pub(crate) struct Scratch {
    /// Scratch of each worker.
    workers: PerWorker<Vec<Line>>,
    /// State that the tasks of one call share.
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    schedule: Schedule,
    partials: Vec<Line>,
}

impl Scratch {
    pub(crate) fn new(threads: usize) -> Self {
        Self { workers: PerWorker::new(threads), shared: Mutex::default() }
    }

    /// The memory of one worker, at least `lines` long.
    fn with_worker<T>(&self, worker: usize, lines: usize, body: impl FnOnce(&mut [Line]) -> T) -> T {
        self.workers.with(worker, |memory| {
            if memory.len() < lines {
                memory.resize(lines, Line::ZERO);
            }
            body(&mut memory[..lines])
        })
    }
}

impl Cpu {
    /// Writes what each query head sees: softmax(q·k) · v. Rows of `q` hold all heads' queries, rows of `out` all heads'
    /// values; rows that no span names are left alone.
    ///
    /// # Panics
    ///
    /// When shapes disagree, spans share rows, or a sequence does not hold what its span attends to.
    pub fn attend(
        &self,
        params: &AttentionParams<'_>,
        layer: usize,
        spans: &[AttendSpan<'_>],
        q: &[f32],
        out: &mut [f32],
    ) {
        params.check(layer, spans, q.len(), out.len());
        let mut shared = self.attending().shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Shared { schedule, partials } = &mut *shared;
        schedule.make(params, spans, self.threads());
        if partials.len() < schedule.partial_lines() {
            partials.resize(schedule.partial_lines(), Line::ZERO);
        }
        let partials = Disjoint::new(partials.as_mut_slice());
        let out = Disjoint::new(out);
        self.pool().run_on_workers(schedule.units().len(), &|worker, unit| {
            let unit = &schedule.units()[unit];
            let kernel = Attend { params, layer, spans, q, unit, partials: &partials, out: &out };
            self.attending().with_worker(worker, kernel.scratch_lines(), |memory| {
                lanes::run(self.level(), kernel.with_scratch(memory));
            });
        });
        self.pool().run_on_workers(schedule.split().len(), &|worker, block| {
            let units = &schedule.units()[schedule.split()[block].clone()];
            let kernel = Finish { params, spans, units, partials: &partials, out: &out };
            self.attending().with_worker(worker, kernel.scratch_lines(), |memory| {
                lanes::run(self.level(), kernel.with_scratch(memory));
            });
        });
    }
}

impl AttentionParams<'_> {
    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The positions that a token sees.
    fn seen(&self, position: usize) -> Range<usize> {
        self.first_seen.map_or(0, |first_seen| first_seen(position).min(position))..position + 1
    }

    fn check(&self, layer: usize, spans: &[AttendSpan<'_>], q: usize, out: usize) {
        assert!(self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads), "key heads are shared evenly");
        assert!(self.key_length > 0 && self.value_length > 0, "heads have a length");
        for per_head in [self.slopes, self.sinks].into_iter().flatten() {
            assert_eq!(per_head.len(), self.heads, "one number for each head");
        }
        let mut end = 0;
        for span in spans {
            let shape = span.sequence.layout().layer(layer).shape;
            assert_eq!(
                (shape.kv_heads, shape.key_length, shape.value_length),
                (self.kv_heads, self.key_length, self.value_length),
                "the shape of layer {layer} in the cache"
            );
            assert!(
                span.position + span.rows.len() <= span.sequence.len(),
                "the sequence holds {} tokens, not {} + {}",
                span.sequence.len(),
                span.position,
                span.rows.len()
            );
            // In order, so that no two tasks write the same row.
            assert!(end <= span.rows.start && span.rows.start <= span.rows.end, "rows of spans rise");
            end = span.rows.end;
        }
        assert!(end * self.heads * self.key_length <= q, "{end} rows of queries");
        assert!(end * self.heads * self.value_length <= out, "{end} rows of outputs");
    }
}

/// Positions whose weights are computed together.
const TILE: usize = 64;
/// Positions after which a partial result is merged into the total.
const CHUNK: usize = 256;
