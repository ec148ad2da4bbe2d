//! Sealing: from plain bytes to an age file.

use std::fs::File;
use std::io;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::payload::{self, CHUNK, Cipher, Layout, NONCE, SEALED_CHUNK, TAG};
use super::{
    FileKey, Header, HeaderError, Identity, OpenError, Progress, Random, Recipients, UnlockedFile,
    X25519Recipient, identity, passphrase,
};
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
    /// When the system fails, `plain` is too long or changed meanwhile, or `progress` wants no more. `target` is then of
    /// no use.
    pub fn write_file(
        self,
        plain: &File,
        target: File,
        workers: usize,
        progress: &Progress<'_>,
    ) -> io::Result<HashedFile> {
        let (target, payload_at) = self.start_file(target)?;
        self.write_plain(plain, &target, payload_at, workers, progress)
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
        progress: &Progress<'_>,
    ) -> io::Result<HashedFile> {
        self.write_plain(plain, &PositionedFile::empty(target)?, 0, workers, progress)
    }

    /// Encrypts what another sealed file holds: a whole age file. Plain bytes are in memory alone, a span a worker.
    ///
    /// # Errors
    ///
    /// Those of [`UnlockedFile::decrypt_to`].
    pub fn rewrite_file(
        self,
        sealed: &UnlockedFile,
        target: File,
        workers: usize,
        progress: &Progress<'_>,
    ) -> Result<HashedFile, OpenError> {
        let (target, payload_at) = self.start_file(target).map_err(OpenError::Target)?;
        self.write_sealed(sealed, &target, payload_at, workers, progress)
    }

    /// Encrypts what another sealed file holds: the payload alone.
    ///
    /// # Errors
    ///
    /// Those of [`UnlockedFile::decrypt_to`].
    pub fn rewrite_payload(
        self,
        sealed: &UnlockedFile,
        target: File,
        workers: usize,
        progress: &Progress<'_>,
    ) -> Result<HashedFile, OpenError> {
        let target = PositionedFile::empty(target).map_err(OpenError::Target)?;
        self.write_sealed(sealed, &target, 0, workers, progress)
    }

    /// Writes the header into an empty file and returns where the payload begins.
    fn start_file(&self, target: File) -> io::Result<(PositionedFile, u64)> {
        let header = self.header.to_bytes();
        let target = PositionedFile::empty(target)?;
        target.write_all_at(&header, 0)?;
        Ok((target, header.len() as u64))
    }

    fn write_plain(
        self,
        plain: &File,
        target: &PositionedFile,
        payload_at: u64,
        workers: usize,
        progress: &Progress<'_>,
    ) -> io::Result<HashedFile> {
        let plain = PositionedFile::new(plain.try_clone()?)?;
        let tree =
            SpanTree::new(plain.len()).map_err(|error| io::Error::new(io::ErrorKind::FileTooLarge, error))?;
        let read = |index, span: &mut [u8]| plain.read_exact_at(span, tree.range(index).start);
        let write = |bytes: &[u8], at| target.write_all_at(bytes, payload_at + at);
        let hashed = self.write(tree, workers, read, write, progress)?;
        if !plain.unchanged()? {
            return Err(io::Error::other("the file changed while it was sealed"));
        }
        Ok(hashed)
    }

    fn write_sealed(
        self,
        sealed: &UnlockedFile,
        target: &PositionedFile,
        payload_at: u64,
        workers: usize,
        progress: &Progress<'_>,
    ) -> Result<HashedFile, OpenError> {
        let tree = SpanTree::new(sealed.len())?;
        let read = |index, span: &mut [u8]| sealed.read_span(index, span).map_err(OpenError::Payload);
        let write = |bytes: &[u8], at| target.write_all_at(bytes, payload_at + at).map_err(OpenError::Target);
        self.write(tree, workers, read, write, &|bytes| progress(bytes).map_err(OpenError::Target))
    }

    /// Encrypts span by span, and hashes the same plain bytes that it encrypts. `write` is told where in the payload its
    /// bytes belong.
    fn write<E: Send>(
        self,
        tree: SpanTree,
        workers: usize,
        read: impl Fn(usize, &mut [u8]) -> Result<(), E> + Sync,
        write: impl Fn(&[u8], u64) -> Result<(), E> + Sync,
        progress: &(dyn Fn(u64) -> Result<(), E> + Sync),
    ) -> Result<HashedFile, E> {
        let layout = Layout::of_plain(tree.length());
        let cipher = Cipher::new(&self.file_key, &self.nonce);
        write(&self.nonce, 0)?;
        let values: Vec<OnceLock<[u8; 32]>> = vec![OnceLock::new(); tree.spans()];
        parallel::for_each(
            workers,
            tree.spans(),
            || (Zeroizing::new(vec![0; SPAN]), vec![0; SPAN / CHUNK * SEALED_CHUNK]),
            |(span, sealed), index| {
                let span = &mut span[..tree.span_len(index)];
                read(index, span)?;
                values[index].get_or_init(|| tree.span_value(index, span));
                let first = tree.range(index).start / CHUNK as u64;
                let len = seal_span(&cipher, layout, first, span, sealed);
                write(&sealed[..len], NONCE as u64 + layout.range(first).start)?;
                progress(span.len() as u64)
            },
        )?;
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

/// Adds recipients to a header: all who could open it still can.
///
/// # Errors
///
/// When no identity opens the header, it was changed, or it was sealed with a passphrase, which is always alone.
pub fn add_recipients(
    header: &Header,
    identities: &[Identity],
    added: &[X25519Recipient],
    random: &mut Random<'_>,
) -> Result<Header, OpenError> {
    let file_key = identity::unwrap(header, identities)?;
    if header.wants_passphrase() {
        return Err(HeaderError::NotAlone { kind: passphrase::KIND.to_owned() }.into());
    }
    let stanzas = header.stanzas.iter().cloned();
    let stanzas = stanzas.chain(added.iter().map(|key| key.wrap(&file_key, random))).collect();
    Ok(Header::new(stanzas, &file_key))
}
