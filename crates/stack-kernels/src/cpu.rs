//! The processor, of which every operation is a method.

use std::sync::Arc;

use crate::attention::AttentionScratch;
use crate::buffer::Arena;
use crate::level::Level;
use crate::pool::Pool;
use crate::prefetch::PrefetchPolicy;
use crate::scratch::{PerWorker, ProductScratch};

/// A level, the threads that run it, and the prefetch policy.
///
/// Every operation splits itself over the threads, and its result depends on neither their number nor on what else is
/// in the batch.
pub struct Cpu {
    level: Level,
    prefetch: PrefetchPolicy,
    pool: Pool,
    arena: Arc<Arena>,
    attention_scratch: AttentionScratch,
    product_scratch: PerWorker<ProductScratch>,
}

impl Cpu {
    /// Starts the threads, the caller's included; at least one.
    pub fn new(level: Level, threads: usize) -> Self {
        Self::with_arena(level, PrefetchPolicy::default(), threads, Arc::default())
    }

    /// One thread, the caller's, whose weights come from the same memory: for work that is spread in some other way.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self::with_arena(self.level, self.prefetch, 1, Arc::clone(&self.arena))
    }

    fn with_arena(level: Level, prefetch: PrefetchPolicy, threads: usize, arena: Arc<Arena>) -> Self {
        let pool = Pool::new(threads);
        let attention_scratch = AttentionScratch::new(pool.threads());
        let product_scratch = PerWorker::new(pool.threads());
        Self { level, prefetch, pool, arena, attention_scratch, product_scratch }
    }

    /// The level that kernels run at.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The policy by which products with one row of activations prefetch. It changes no result.
    pub fn prefetch_policy(&self) -> PrefetchPolicy {
        self.prefetch
    }

    /// Sets that policy.
    pub fn set_prefetch_policy(&mut self, policy: PrefetchPolicy) {
        self.prefetch = policy;
    }

    /// The number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The arena of weights.
    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Memory that attention computes in.
    pub(crate) fn attention_scratch(&self) -> &AttentionScratch {
        &self.attention_scratch
    }

    /// Memory that products are computed in.
    pub(crate) fn product_scratch(&self) -> &PerWorker<ProductScratch> {
        &self.product_scratch
    }

    /// Cuts `out`, rows of `width`, into chunks of `grain_rows` and runs `body` for each with its first row's number.
    ///
    /// # Panics
    ///
    /// When `width` or `grain_rows` is 0 or rows are incomplete.
    pub fn for_rows(
        &self,
        out: &mut [f32],
        width: usize,
        grain_rows: usize,
        body: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        assert!(
            width > 0 && out.len().is_multiple_of(width),
            "{} numbers are not rows of {width}",
            out.len()
        );
        self.pool.for_chunks(out, width * grain_rows, &|chunk, rows| body(chunk * grain_rows, rows));
    }

    /// The number of rows of `width` that are worth a thread's while.
    pub(crate) fn grain(width: usize) -> usize {
        (GRAIN / width.max(1)).max(1)
    }
}

/// Numbers that take a thread about as long to compute as to wake another one.
pub(crate) const GRAIN: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_number() {
        let cpu = Cpu::new(Level::detect(), 2);
        let mut out = vec![0.0; 7 * 3];
        cpu.for_rows(&mut out, 3, 2, |first, rows| {
            for (row, values) in rows.chunks_exact_mut(3).enumerate() {
                values.fill((first + row) as f32);
            }
        });
        assert!(out.chunks_exact(3).enumerate().all(|(row, values)| values == [row as f32; 3]));
    }
}
