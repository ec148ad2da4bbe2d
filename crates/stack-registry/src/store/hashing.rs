//! The digests of whole files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::{io, thread};

use stack_seal::digest::{Blake3Hasher, Digest, Root, Sha256Hasher};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Its SHA-256 digest.
    pub sha256: Digest,
    /// Its BLAKE3 root.
    pub blake3: Digest,
    /// Bytes.
    pub length: u64,
}

impl Hashed {
    /// Computes both digests of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut sha256 = Sha256Hasher::new();
        sha256.update(bytes);
        Self { sha256: sha256.finish(), blake3: Root::of(bytes).into(), length: bytes.len() as u64 }
    }
}

/// Reads a file from its beginning to its end and computes both digests, each on a thread of its own.
///
/// `progress` is told how many bytes are done.
///
/// # Errors
///
/// When the file cannot be read, or changes its length meanwhile.
pub fn hash_file(file: &File, progress: &(dyn Fn(u64) + Sync)) -> io::Result<Hashed> {
    let mut sha256 = Sha256Hasher::new();
    let mut blake3 = Blake3Hasher::new();
    if file.metadata()?.len() <= SMALL_BYTES {
        // A thread takes longer to start than such a file to read.
        let length = read_all(file, |bytes, done| {
            sha256.update(bytes);
            blake3.update(bytes);
            progress(done);
        })?;
        return Ok(Hashed { sha256: sha256.finish(), blake3: blake3.finish().into(), length });
    }
    let (length, other) = thread::scope(|scope| {
        let other = scope.spawn(|| read_all(file, |bytes, _| blake3.update(bytes)));
        let length = read_all(file, |bytes, done| {
            sha256.update(bytes);
            progress(done);
        });
        (length, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (length, other) = (length?, other?);
    if length != other {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "changed its length while it was read"));
    }
    Ok(Hashed { sha256: sha256.finish(), blake3: blake3.finish().into(), length })
}

fn read_all(file: &File, mut each: impl FnMut(&[u8], u64)) -> io::Result<u64> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // One more byte than there should be shows the end of a small file at once.
    let mut buffer = vec![0; length.saturating_add(1).min(BUFFER_BYTES)];
    let mut done = 0;
    loop {
        match file.read_at(&mut buffer, done) {
            Ok(0) => return Ok(done),
            Ok(count) => {
                done += count as u64;
                each(&buffer[..count], done);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const BUFFER_BYTES: usize = 1 << 20;
const SMALL_BYTES: u64 = 64 << 10;
