//! The parameters of attention.

use std::ops::Range;

use crate::kv::KvSequence;

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
    /// Later tokens of its own span that a token sees: none in a decoder, all of them (any large number) in an encoder, half
    /// of a window that lies around the token. No row sees beyond its span, since nothing there is stored yet.
    pub ahead: usize,
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

impl AttentionParams<'_> {
    /// Query heads that share a key head.
    pub(super) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The positions that a row of a span sees.
    pub(super) fn seen(&self, span: &AttendSpan<'_>, row: usize) -> Range<usize> {
        let position = span.position + row;
        let first = self.first_seen.map_or(0, |first_seen| first_seen(position).min(position));
        first..self.end_seen(span, row + 1)
    }

    /// The positions that some row of a range sees.
    pub(super) fn seen_by(&self, span: &AttendSpan<'_>, rows: &Range<usize>) -> Range<usize> {
        let first = rows.clone().map(|row| self.seen(span, row).start).min();
        first.unwrap_or(0)..self.end_seen(span, rows.end)
    }

    /// The end of what the rows of a span before `row` see: the last of them sees furthest.
    pub(super) fn end_seen(&self, span: &AttendSpan<'_>, row: usize) -> usize {
        (span.position + row).saturating_add(self.ahead).min(span.position + span.rows.len())
    }

    pub(super) fn check(&self, layer: usize, spans: &[AttendSpan<'_>], q: usize, out: usize) {
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
pub(super) const TILE: usize = 64;
/// Positions after which a partial result is merged into the total.
pub(super) const CHUNK: usize = 256;
