//! The schedule of one call: its work, cut into units.

use std::ops::Range;

use super::params::{AttendSpan, AttentionParams, CHUNK};
use crate::lanes::LANES;

/// A piece of work: some query rows of one span, with the query heads of one key head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) span: usize,
    pub(super) kv_head: usize,
    /// Rows, counted from the first one of the span.
    pub(super) rows: Range<usize>,
    /// Chunks of positions.
    pub(super) chunks: Range<usize>,
    /// The lines for the result of the only chunk, if the chunks of these rows are spread over several units.
    pub(super) partial: Option<usize>,
}

/// The units of one call.
#[derive(Default)]
pub(super) struct Schedule {
    units: Vec<Unit>,
    /// The units of each block of rows whose chunks are spread.
    split: Vec<Range<usize>>,
    partial_lines: usize,
}

impl Schedule {
    /// Schedules a call, forgetting the one before.
    pub(super) fn make(&mut self, params: &AttentionParams<'_>, spans: &[AttendSpan<'_>], threads: usize) {
        self.units.clear();
        self.split.clear();
        self.partial_lines = 0;
        let rows_max = (VECTORS_MAX / params.group()).max(1);
        let blocks: usize =
            spans.iter().map(|span| span.rows.len().div_ceil(rows_max) * params.kv_heads).sum();
        let spread = threads > 1 && blocks < threads * BLOCKS_PER_THREAD;
        for (index, span) in spans.iter().enumerate() {
            // Later rows see more: the longest units first, so that none is left over at the end.
            for block in (0..span.rows.len().div_ceil(rows_max)).rev() {
                let rows = block * rows_max..(block * rows_max + rows_max).min(span.rows.len());
                let seen = params.seen_by(span, &rows);
                let chunks = seen.start / CHUNK..seen.end.div_ceil(CHUNK);
                for kv_head in 0..params.kv_heads {
                    let unit = Unit {
                        span: index,
                        kv_head,
                        rows: rows.clone(),
                        chunks: chunks.clone(),
                        partial: None,
                    };
                    if spread && chunks.len() > 1 {
                        self.spread(params, &unit);
                    } else {
                        self.units.push(unit);
                    }
                }
            }
        }
    }

    /// Adds one unit for each chunk.
    fn spread(&mut self, params: &AttentionParams<'_>, whole: &Unit) {
        let start = self.units.len();
        for chunk in whole.chunks.clone() {
            self.units.push(Unit {
                chunks: chunk..chunk + 1,
                partial: Some(self.partial_lines),
                ..whole.clone()
            });
            self.partial_lines += whole.softmax_lines(params);
        }
        self.split.push(start..self.units.len());
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    pub(super) fn split(&self) -> &[Range<usize>] {
        &self.split
    }

    pub(super) fn partial_lines(&self) -> usize {
        self.partial_lines
    }
}

impl Unit {
    /// The number of its query vectors.
    pub(super) fn vectors(&self, params: &AttentionParams<'_>) -> usize {
        self.rows.len() * params.group()
    }

    /// Lines that the state of its softmax takes.
    pub(super) fn softmax_lines(&self, params: &AttentionParams<'_>) -> usize {
        let vectors = self.vectors(params);
        2 * vectors.div_ceil(LANES) + vectors * params.value_length.div_ceil(LANES)
    }
}

/// Query vectors that go together: enough that keys and values are read from afar rarely, few enough that the vectors
/// stay near.
const VECTORS_MAX: usize = 48;
/// With fewer blocks than this for each thread, the threads would not be equally busy.
const BLOCKS_PER_THREAD: usize = 2;
