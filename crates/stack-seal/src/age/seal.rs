//! Sealing: from plain bytes to an age file.

use std::fs::File;
use std::io;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::payload::{self, CHUNK, Cipher, Layout, NONCE, SEALED_CHUNK, TAG};
use super::{FileKey, Header, Identity, OpenError, Random, Recipients, identity};
use crate::digest::{HashedFile, SPAN, SpanTree};
use crate::file::PositionedFile;
use crate::parallel;

/// A fresh file key and the header that wraps it, for exactly one payload.
#[derive(Debug)]
pub struct Sealing {
    pub(super) file_key: FileKey,
    pub(super) header: Header,
    pub(super) nonce: [u8; NONCE],
}

impl Sealing {
    /// Starts a new age file. Two files, even of the same content, have nothing in common.
    pub fn new(recipients: &Recipients, random: &mut Random<'_>) -> Self {
        let file_key = FileKey::generate(random);
        let header = recipients.header(&file_key, random);
        let mut nonce = [0; NONCE];
        random(&mut nonce);
        Self { file_key, header, nonce }
    }

    /// Returns the header, whose bytes come before the payload's.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes header and payload into an empty file: a whole age file.
    ///
    /// # Errors
    ///
    /// When the system fails, `plain` is too long, or changed meanwhile. `target` is then of no use.
    pub fn write_file(
        self,
        plain: &File,
        target: File,
        workers: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> io::Result<HashedFile> {
        let header = self.header.to_bytes();
        let target = PositionedFile::empty(target)?;
        target.write_all_at(&header, 0)?;
        self.write(plain, &target, header.len() as u64, workers, progress)
    }

    /// Writes the payload alone into an empty file.
    ///
    /// # Errors
    ///
    /// Those of [`Self::write_file`].
    pub fn write_payload(
        self,
        plain: &File,
        target: File,
        workers: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> io::Result<HashedFile> {
        self.write(plain, &PositionedFile::empty(target)?, 0, workers, progress)
    }

    /// Encrypts span by span, and hashes the same plain bytes that it encrypts.
    fn write(
        self,
        plain: &File,
        target: &PositionedFile,
        payload_at: u64,
        workers: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> io::Result<HashedFile> {
        let plain = PositionedFile::new(plain.try_clone()?)?;
        let tree =
            SpanTree::new(plain.len()).map_err(|error| io::Error::new(io::ErrorKind::FileTooLarge, error))?;
        let layout = Layout::of_plain(plain.len());
        let cipher = Cipher::new(&self.file_key, &self.nonce);
        let chunks_at = payload_at + NONCE as u64;
        target.write_all_at(&self.nonce, payload_at)?;
        let values: Vec<OnceLock<[u8; 32]>> = vec![OnceLock::new(); tree.spans()];
        parallel::for_each(
            workers,
            tree.spans(),
            || (Zeroizing::new(vec![0; SPAN]), vec![0; SPAN / CHUNK * SEALED_CHUNK]),
            |(span, sealed), index| -> io::Result<()> {
                let range = tree.range(index);
                let span = &mut span[..tree.span_len(index)];
                plain.read_exact_at(span, range.start)?;
                values[index].get_or_init(|| tree.span_value(index, span));
                let first = range.start / CHUNK as u64;
                let len = seal_span(&cipher, layout, first, span, sealed);
                target.write_all_at(&sealed[..len], chunks_at + layout.range(first).start)?;
                progress(span.len() as u64);
                Ok(())
            },
        )?;
        if !plain.unchanged()? {
            return Err(io::Error::other("the file changed while it was sealed"));
        }
        Ok(HashedFile::new(tree, values.into_iter().filter_map(OnceLock::into_inner).collect()))
    }
}

/// Seals the chunks of a span one behind the other and returns how many bytes they take.
fn seal_span(cipher: &Cipher, layout: Layout, first: u64, span: &[u8], sealed: &mut [u8]) -> usize {
    let mut at = 0;
    // An empty content has one chunk, which is empty.
    for index in first..layout.chunks().min(first + (SPAN / CHUNK) as u64) {
        let start = (index - first) as usize * CHUNK;
        let chunk = &span[start..span.len().min(start + CHUNK)];
        let (body, rest) = sealed[at..].split_at_mut(chunk.len());
        body.copy_from_slice(chunk);
        rest[..TAG].copy_from_slice(&cipher.seal(layout.place(index), body));
        at += chunk.len() + TAG;
    }
    at
}

/// Seals a small content in memory.
pub fn seal_bytes(plain: &[u8], recipients: &Recipients, random: &mut Random<'_>) -> Vec<u8> {
    let file_key = FileKey::generate(random);
    let mut sealed = recipients.header(&file_key, random).to_bytes();
    sealed.extend(payload::seal_bytes(&file_key, plain, random));
    sealed
}

/// Makes a new header for an existing payload: the same file key, wrapped for others.
///
/// Whoever could open the old header may have kept the file key, and can open the payload still. Only a new file
/// keeps them out of what is written from then on.
///
/// # Errors
///
/// When no identity opens the old header, or it was changed.
pub fn rekey(
    header: &Header,
    identities: &[Identity],
    recipients: &Recipients,
    random: &mut Random<'_>,
) -> Result<Header, OpenError> {
    Ok(recipients.header(&identity::unwrap(header, identities)?, random))
}
