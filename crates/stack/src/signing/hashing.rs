//! Digests of a target's files, with a bar where it takes a while.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

use stack_seal::digest::{self, Digest, HashedFile};

use super::TargetFile;
use crate::error::CommandError;
use crate::process::threads;
use crate::terminal::progress::Bar;

/// What a file turned out to be.
pub(crate) struct Hashed {
    /// Its length, BLAKE3 root and leaves.
    pub(crate) file: HashedFile,
    /// Its SHA-256.
    pub(crate) sha256: Digest,
}

/// Computes BLAKE3 with all cores.
pub(crate) fn hash_plainly(target: &TargetFile) -> Result<HashedFile, CommandError> {
    with_bar(target, |file, progress| digest::hash_file(file, threads::usable(), progress))
}

/// Computes BLAKE3 and SHA-256 in one reading.
pub(crate) fn hash_twice(target: &TargetFile) -> Result<Hashed, CommandError> {
    let (file, sha256) = with_bar(target, |file, progress| digest::hash_file_twice(file, progress))?;
    Ok(Hashed { file, sha256 })
}

fn with_bar<T>(
    target: &TargetFile,
    hash: impl FnOnce(&File, &(dyn Fn(u64) + Sync)) -> std::io::Result<T>,
) -> Result<T, CommandError> {
    let failed = |error| CommandError::reading(target.path.display(), error).reason("io");
    let file = File::open(&target.path).map_err(failed)?;
    let total = file.metadata().map_err(failed)?.len();
    let (bar, done) = (Bar::new("hashing", &target.name, false), AtomicU64::new(0));
    let progress = |bytes| bar.show(done.fetch_add(bytes, Ordering::Relaxed) + bytes, total);
    hash(&file, &progress).map_err(failed)
}
