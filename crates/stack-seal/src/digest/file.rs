//! Hashing files, with every core and constant memory.

use std::fs::File;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::{Digest, LeafList, Root, SPAN, Sha256Hasher, SpanTree};
use crate::file::PositionedFile;
use crate::parallel;

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedFile {
    /// Its BLAKE3 root.
    pub root: Root,
    /// Its length in bytes.
    pub length: u64,
    /// The value of each span, where there is more than one.
    pub leaves: Option<LeafList>,
}

impl HashedFile {
    /// Merges the values of all spans.
    pub(crate) fn new(tree: SpanTree, values: Vec<[u8; 32]>) -> Self {
        Self { root: tree.root(&values), length: tree.length(), leaves: LeafList::new(tree, values) }
    }
}

/// Computes BLAKE3 over a file on up to `workers` threads; `progress` is told the bytes that each span adds.
///
/// # Errors
///
/// When the file is not regular, cannot be read, is too long, or changed meanwhile.
pub fn hash_file(file: &File, workers: usize, progress: &(dyn Fn(u64) + Sync)) -> io::Result<HashedFile> {
    let (file, tree) = open(file)?;
    let values: Vec<OnceLock<[u8; 32]>> = vec![OnceLock::new(); tree.spans()];
    parallel::for_each(
        workers,
        tree.spans(),
        || vec![0; SPAN],
        |buffer, index| -> io::Result<()> {
            let span = &mut buffer[..tree.span_len(index)];
            file.read_exact_at(span, tree.range(index).start)?;
            values[index].get_or_init(|| tree.span_value(index, span));
            progress(span.len() as u64);
            Ok(())
        },
    )?;
    finish(&file, tree, values.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// Computes BLAKE3 and SHA-256 over a file in one reading; SHA-256, which has no tree, sets the pace.
///
/// # Errors
///
/// Those of [`hash_file`].
pub fn hash_file_twice(file: &File, progress: &(dyn Fn(u64) + Sync)) -> io::Result<(HashedFile, Digest)> {
    let (file, tree) = open(file)?;
    let mut sha256 = Sha256Hasher::new();
    let mut values = Vec::with_capacity(tree.spans());
    thread::scope(|scope| {
        // Read spans travel to the second thread and come back as empty buffers, so that four serve the whole file.
        let (to_blake3, spans) = sync_channel::<(usize, Vec<u8>)>(BUFFERS);
        let (give_back, empty) = sync_channel::<Vec<u8>>(BUFFERS);
        let values = &mut values;
        scope.spawn(move || {
            let new = (0..BUFFERS).map(|_| Vec::with_capacity(SPAN));
            let used = spans.into_iter().map(|(index, span)| {
                values.push(tree.span_value(index, &span));
                span
            });
            for buffer in new.chain(used) {
                // The reader stops taking buffers at its end, when spans are still to be hashed.
                let _reader_is_done = give_back.send(buffer);
            }
        });
        for (index, mut span) in (0..tree.spans()).zip(empty.iter()) {
            span.resize(tree.span_len(index), 0);
            file.read_exact_at(&mut span, tree.range(index).start)?;
            sha256.update(&span);
            progress(span.len() as u64);
            if to_blake3.send((index, span)).is_err() {
                break;
            }
        }
        Ok::<(), io::Error>(())
    })?;
    Ok((finish(&file, tree, values)?, sha256.finish()))
}

fn open(file: &File) -> io::Result<(PositionedFile, SpanTree)> {
    let file = PositionedFile::new(file.try_clone()?)?;
    let tree =
        SpanTree::new(file.len()).map_err(|error| io::Error::new(io::ErrorKind::FileTooLarge, error))?;
    Ok((file, tree))
}

fn finish(file: &PositionedFile, tree: SpanTree, values: Vec<[u8; 32]>) -> io::Result<HashedFile> {
    if !file.unchanged()? {
        return Err(io::Error::other("the file changed while it was read"));
    }
    Ok(HashedFile::new(tree, values))
}

/// Spans under way between the two threads.
const BUFFERS: usize = 4;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};

    use sha2::Digest as _;

    use super::*;

    #[test]
    fn files_hash_as_their_bytes_do() {
        for len in [0, 1, SPAN, SPAN + 1, 9 * SPAN - 1] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let seen = AtomicU64::new(0);
            let progress = |bytes| {
                seen.fetch_add(bytes, Ordering::Relaxed);
            };
            let once = hash_file(&file, 3, &progress).unwrap();
            assert_eq!((once.root, once.length), (Root::of(&bytes), len as u64));
            assert_eq!(once.leaves.is_some(), len > SPAN);
            let (twice, sha256) = hash_file_twice(&file, &progress).unwrap();
            assert_eq!(twice, once);
            assert_eq!(sha256.bytes, <[u8; 32]>::from(sha2::Sha256::digest(&bytes)));
            assert_eq!(seen.load(Ordering::Relaxed), 2 * len as u64);
        }
    }
}
