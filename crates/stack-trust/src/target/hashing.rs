//! Digests of a target's files.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use stack_seal::digest::{self, Digest, HashedFile};

use super::{TargetError, TargetFile};

/// How files are hashed.
#[derive(Clone, Copy)]
pub struct HasherOptions<'a> {
    /// Threads.
    pub workers: usize,
    /// Is told the file, how many of its bytes are done, and how many there are.
    pub progress: &'a (dyn Fn(&str, u64, u64) + Sync),
}

/// What a file turned out to be.
pub struct Hashed {
    /// Its length, BLAKE3 root and leaves.
    pub file: HashedFile,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl HasherOptions<'_> {
    /// Computes BLAKE3 with all threads.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn blake3(&self, target: &TargetFile) -> Result<HashedFile, TargetError> {
        self.hash(target, |file, progress| digest::hash_file(file, self.workers, progress))
    }

    /// Computes BLAKE3 and SHA-256 in one reading.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn both(&self, target: &TargetFile) -> Result<Hashed, TargetError> {
        let (file, sha256) = self.hash(target, |file, progress| digest::hash_file_twice(file, progress))?;
        Ok(Hashed { file, sha256 })
    }

    fn hash<T>(
        &self,
        target: &TargetFile,
        hash: impl FnOnce(&File, &(dyn Fn(u64) + Sync)) -> io::Result<T>,
    ) -> Result<T, TargetError> {
        let failed = |source| TargetError::Hash { path: target.path.clone(), source };
        let file = File::open(&target.path).map_err(failed)?;
        let total = file.metadata().map_err(failed)?.len();
        let done = AtomicU64::new(0);
        let progress = |bytes| {
            (self.progress)(&target.name, done.fetch_add(bytes, Ordering::Relaxed) + bytes, total);
        };
        hash(&file, &progress).map_err(failed)
    }
}
