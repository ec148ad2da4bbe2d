//! Attention, and the keys and values that it reads.

use crate::attention::{AttendSpan, Attention, AttentionParams};
use crate::cpu::Cpu;
use crate::kv::{self, KvSpan};

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
        Attention { params, layer, spans, q }.run(self.level(), self.pool(), self.attention_scratch(), out);
    }

    /// Writes new keys and values of one layer; sequences grow as needed.
    ///
    /// # Panics
    ///
    /// When shapes disagree or a span does not follow what its sequence holds.
    pub fn store_kv(&self, layer: usize, spans: &mut [KvSpan<'_>]) {
        kv::store(self.level(), self.pool(), layer, spans);
    }
}
