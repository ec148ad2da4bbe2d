//! Memory that workers keep from one task to the next.

use std::sync::{Mutex, PoisonError};

use crate::tile::LANES;
use crate::unpacked_tile::UnpackedTile;

/// Memory of each worker that outlives a task.
pub(crate) struct PerWorker<T>(Vec<Mutex<T>>);

impl<T: Default> PerWorker<T> {
    /// Makes one for each of so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Mutex::default()).collect())
    }

    /// Lends a worker its memory.
    pub(crate) fn with<R>(&self, worker: usize, body: impl FnOnce(&mut T) -> R) -> R {
        // The rest of a task that panicked is overwritten before it is read.
        body(&mut self.0[worker].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The memory that a worker multiplies in, kept because clearing it takes longer than a short task.
#[derive(Default)]
pub(crate) struct ProductScratch {
    pub(crate) tiles: [UnpackedTile; TILES],
    pub(crate) sums: Vec<[f32; LANES]>,
    pub(crate) gates: Vec<[f32; LANES]>,
}

/// Unpacked tiles that are multiplied together, so that an activation that was read serves each of them.
pub(crate) const TILES: usize = 2;
