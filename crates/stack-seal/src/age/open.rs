//! Opening: from a sealed file to plain bytes at positions.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::header::HEADER_MAX;
use super::payload::{self, CHUNK, Cipher, Layout, NONCE, PayloadError, TAG};
use super::{Header, HeaderError, Identity, Progress, identity};
use crate::digest::{HashedFile, SPAN, SpanTree, TooLong};
use crate::file::PositionedFile;
use crate::parallel;

/// An age file, unlocked: its file key was found, its header is authentic, and so is its last chunk.
///
/// Plain bytes come by spans of 256 KiB, in any order and to any thread, straight into the asker's memory.
#[derive(Debug)]
pub struct UnlockedFile {
    file: PositionedFile,
    chunks_at: u64,
    cipher: Cipher,
    layout: Layout,
    tree: SpanTree,
}

impl UnlockedFile {
    /// Unlocks a whole age file.
    ///
    /// # Errors
    ///
    /// When it is not an age file, no identity fits, the header was changed, or the end of the file is missing.
    pub fn open(file: File, identities: &[Identity]) -> Result<Self, OpenError> {
        let file = PositionedFile::new(file).map_err(OpenError::Io)?;
        let (header, len) = read_header(&file)?;
        Self::unlock(&header, file, len as u64, identities)
    }

    /// Unlocks a payload that is kept apart from its header.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`].
    pub fn open_payload(header: &Header, payload: File, identities: &[Identity]) -> Result<Self, OpenError> {
        let file = PositionedFile::new(payload).map_err(OpenError::Io)?;
        Self::unlock(header, file, 0, identities)
    }

    fn unlock(
        header: &Header,
        file: PositionedFile,
        payload_at: u64,
        identities: &[Identity],
    ) -> Result<Self, OpenError> {
        let file_key = identity::unwrap(header, identities)?;
        let chunks_at = payload_at + NONCE as u64;
        let sealed_len = file.len().checked_sub(chunks_at).ok_or(HeaderError::Truncated)?;
        let mut nonce = [0; NONCE];
        file.read_exact_at(&mut nonce, payload_at).map_err(OpenError::Io)?;
        let cipher = Cipher::new(&file_key, &nonce);
        let layout = Layout::of_sealed(sealed_len)?;
        let tree = SpanTree::new(layout.plain_len())?;
        let sealed = Self { file, chunks_at, cipher, layout, tree };
        let last = layout.chunks() - 1;
        let len = layout.plain_len() - last * CHUNK as u64;
        sealed.read_chunk(last, &mut Zeroizing::new(vec![0; len as usize]))?;
        Ok(sealed)
    }

    /// Returns the number of plain bytes.
    pub fn len(&self) -> u64 {
        self.layout.plain_len()
    }

    /// Tells whether there are no plain bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decrypts everything into `target`, an empty file, on up to `workers` threads; `progress` is told the bytes that each span adds.
    ///
    /// What was written may be used only where nothing went wrong and the root returned is the one that was expected.
    ///
    /// # Errors
    ///
    /// When a chunk is not authentic, the system fails, or `progress` wants no more.
    pub fn decrypt_to(
        &self,
        target: File,
        workers: usize,
        progress: &Progress<'_>,
    ) -> Result<HashedFile, OpenError> {
        let target = PositionedFile::empty(target).map_err(OpenError::Target)?;
        let write = |bytes: &[u8], at| target.write_all_at(bytes, at).map_err(OpenError::Target);
        self.each_span(workers, write, progress)
    }

    /// Decrypts everything on up to `workers` threads and keeps nothing but what it was.
    ///
    /// # Errors
    ///
    /// Those of [`Self::decrypt_to`].
    pub fn hash(&self, workers: usize, progress: &Progress<'_>) -> Result<HashedFile, OpenError> {
        self.each_span(workers, |_, _| Ok(()), progress)
    }

    /// Decrypts and hashes span by span, and gives each to `take` with its place.
    fn each_span(
        &self,
        workers: usize,
        take: impl Fn(&[u8], u64) -> Result<(), OpenError> + Sync,
        progress: &Progress<'_>,
    ) -> Result<HashedFile, OpenError> {
        let values: Vec<OnceLock<[u8; 32]>> = vec![OnceLock::new(); self.tree.spans()];
        parallel::for_each(
            workers,
            self.tree.spans(),
            || Zeroizing::new(vec![0; SPAN]),
            |buffer, index| -> Result<(), OpenError> {
                let span = &mut buffer[..self.tree.span_len(index)];
                self.read_span(index, span)?;
                values[index].get_or_init(|| self.tree.span_value(index, span));
                take(span, self.tree.range(index).start)?;
                progress(span.len() as u64).map_err(OpenError::Target)
            },
        )?;
        let values = values.into_iter().filter_map(OnceLock::into_inner).collect();
        Ok(HashedFile::new(self.tree, values))
    }

    /// Decrypts the plain bytes from `offset` on into `buffer`, every chunk that it touches as a whole.
    ///
    /// They are what somebody sealed who knew the recipient, which anybody may; nothing else is known of them.
    ///
    /// # Errors
    ///
    /// When there are not so many bytes, a chunk is not authentic, or the system fails.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<(), PayloadError> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.len() {
            let source = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(PayloadError::Io { bytes: offset..end, source });
        }
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        while !buffer.is_empty() {
            let index = offset / CHUNK as u64;
            let start = index * CHUNK as u64;
            let chunk = &mut chunk[..(self.len() - start).min(CHUNK as u64) as usize];
            self.read_chunk(index, chunk)?;
            let wanted = &chunk[(offset - start) as usize..];
            let count = wanted.len().min(buffer.len());
            let (now, later) = buffer.split_at_mut(count);
            now.copy_from_slice(&wanted[..count]);
            buffer = later;
            offset += count as u64;
        }
        Ok(())
    }

    /// Decrypts span `index` into `buffer`, which has that span's length.
    pub(crate) fn read_span(&self, index: usize, buffer: &mut [u8]) -> Result<(), PayloadError> {
        let first = self.tree.range(index).start / CHUNK as u64;
        for (chunk, number) in buffer.chunks_mut(CHUNK).zip(first..) {
            self.read_chunk(number, chunk)?;
        }
        Ok(())
    }

    /// Tells whether the file's length and time are still the same.
    pub(crate) fn unchanged(&self) -> io::Result<bool> {
        self.file.unchanged()
    }

    fn read_chunk(&self, index: u64, chunk: &mut [u8]) -> Result<(), PayloadError> {
        let range = self.layout.range(index);
        let bytes = self.chunks_at + range.start..self.chunks_at + range.end;
        let mut tag = [0; TAG];
        // Two readings, so that the chunk lands where its plain bytes are wanted.
        let read = self
            .file
            .read_exact_at(chunk, bytes.start)
            .and_then(|()| self.file.read_exact_at(&mut tag, bytes.start + chunk.len() as u64));
        match read {
            Err(source) => Err(PayloadError::Io { bytes, source }),
            Ok(()) if self.cipher.open(self.layout.place(index), chunk, &tag) => Ok(()),
            Ok(()) => Err(PayloadError::Chunk { index, bytes }),
        }
    }
}

/// Opens a small age file in memory.
///
/// # Errors
///
/// Those of [`UnlockedFile::open`], and a chunk that is not authentic.
pub fn open_bytes(sealed: &[u8], identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, len) = Header::parse(sealed)?;
    payload::open_bytes(&identity::unwrap(&header, identities)?, &sealed[len..])
}

impl Header {
    /// Reads the header at the start of an age file and returns it with its length, which is where the payload begins.
    ///
    /// # Errors
    ///
    /// When it is not an age file, or cannot be read.
    pub fn read(file: &File) -> Result<(Self, u64), OpenError> {
        let file = file.try_clone().and_then(PositionedFile::new).map_err(OpenError::Io)?;
        let (header, len) = read_header(&file)?;
        Ok((header, len as u64))
    }
}

/// Reads the header of a file: a little first, and all that a header may have where that was not enough.
fn read_header(file: &PositionedFile) -> Result<(Header, usize), OpenError> {
    let mut bytes = Vec::new();
    for size in [HEADER_USUAL, HEADER_MAX] {
        bytes.resize(file.len().min(size as u64) as usize, 0);
        file.read_exact_at(&mut bytes, 0).map_err(OpenError::Io)?;
        match Header::parse(&bytes) {
            Err(HeaderError::Truncated) if bytes.len() == size => {}
            parsed => return parsed.map_err(OpenError::Header),
        }
    }
    Err(HeaderError::TooLarge.into())
}

/// Why a sealed file stays closed.
#[derive(Debug)]
pub enum OpenError {
    /// The system could not read the sealed file.
    Io(io::Error),
    /// The system could not write the plain file.
    Target(io::Error),
    /// The header is malformed, or asks for too much.
    Header(HeaderError),
    /// It is sealed for others.
    NoIdentity,
    /// It is sealed with another passphrase.
    WrongPassphrase,
    /// The header was changed after it was written.
    HeaderMac,
    /// The payload is not what was sealed.
    Payload(PayloadError),
    /// It has more bytes than one file may have.
    TooLong(TooLong),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("the sealed file cannot be read"),
            Self::Target(_) => f.write_str("the plain file cannot be written"),
            Self::Header(error) => error.fmt(f),
            Self::NoIdentity => f.write_str("no available identity can open the file"),
            Self::WrongPassphrase => f.write_str("the passphrase is wrong"),
            Self::HeaderMac => f.write_str("the header was modified"),
            Self::Payload(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(source) | Self::Target(source) => Some(source),
            // Their text is this error's text.
            Self::Header(error) => error.source(),
            Self::Payload(error) => error.source(),
            _ => None,
        }
    }
}

impl From<HeaderError> for OpenError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<PayloadError> for OpenError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl From<TooLong> for OpenError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

/// Enough for some dozens of recipients.
const HEADER_USUAL: usize = 16 * 1024;
