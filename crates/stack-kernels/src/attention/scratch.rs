//! The memory that attention keeps from one call to the next.

use std::sync::Mutex;

use super::schedule::Schedule;
use crate::kv::Line;
use crate::scratch::PerWorker;

/// Memory that outlives one call.
pub(crate) struct AttentionScratch {
    /// The lines of each worker.
    workers: PerWorker<Vec<Line>>,
    /// State that the tasks of one call share.
    pub(super) shared: Mutex<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) schedule: Schedule,
    pub(super) partials: Vec<Line>,
}

impl AttentionScratch {
    pub(crate) fn new(threads: usize) -> Self {
        Self { workers: PerWorker::new(threads), shared: Mutex::default() }
    }

    /// The memory of one worker, at least `lines` long.
    pub(super) fn with_worker<T>(
        &self,
        worker: usize,
        lines: usize,
        body: impl FnOnce(&mut [Line]) -> T,
    ) -> T {
        self.workers.with(worker, |memory| {
            if memory.len() < lines {
                memory.resize(lines, Line::ZERO);
            }
            body(&mut memory[..lines])
        })
    }
}
