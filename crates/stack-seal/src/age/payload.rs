//! The payload: chunks of 64 KiB, each encrypted alone, numbered, and the last one marked.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Range;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use zeroize::Zeroizing;

use super::{FileKey, HeaderError, OpenError, Random};

/// The cipher of one payload.
pub(super) struct Cipher(ChaCha20Poly1305);

impl Cipher {
    /// Derives it from the file key and the nonce in front of the payload.
    pub(super) fn new(file_key: &FileKey, nonce: &[u8; NONCE]) -> Self {
        let key = file_key.payload_key(nonce);
        Self(ChaCha20Poly1305::new((&*key).into()))
    }

    /// Encrypts a chunk where it lies and returns its tag.
    pub(super) fn seal(&self, place: Place, chunk: &mut [u8]) -> [u8; TAG] {
        let sealed = self.0.encrypt_inout_detached(&place.nonce(), b"", chunk.into());
        sealed.expect("64 KiB are not too long for the cipher").into()
    }

    /// Decrypts a chunk where it lies, or leaves it and returns false.
    #[must_use]
    pub(super) fn open(&self, place: Place, chunk: &mut [u8], tag: &[u8; TAG]) -> bool {
        self.0.decrypt_inout_detached(&place.nonce(), b"", chunk.into(), tag.into()).is_ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

/// Where a chunk stands, which is what its nonce says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    index: u64,
    last: bool,
}

impl Place {
    fn nonce(self) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[3..11].copy_from_slice(&self.index.to_be_bytes());
        nonce[11] = self.last.into();
        nonce
    }
}

/// How a payload divides into chunks. Every payload has a last one, which is empty only where it is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    plain_len: u64,
}

impl Layout {
    /// Lays out a payload by its plain bytes.
    pub(super) fn of_plain(plain_len: u64) -> Self {
        Self { plain_len }
    }

    /// Lays out a payload by the bytes behind its nonce.
    pub(super) fn of_sealed(sealed_len: u64) -> Result<Self, PayloadError> {
        let chunks = sealed_len.div_ceil(SEALED_CHUNK as u64);
        let last = sealed_len - chunks.saturating_sub(1) * SEALED_CHUNK as u64;
        match (chunks, last as usize) {
            (0, _) => Err(PayloadError::Empty),
            (1, TAG..) | (2.., TAG_AND_MORE..) => Ok(Self { plain_len: sealed_len - chunks * TAG as u64 }),
            _ => Err(PayloadError::ShortLastChunk),
        }
    }

    /// Returns the number of plain bytes.
    pub(super) fn plain_len(self) -> u64 {
        self.plain_len
    }

    /// Returns the number of bytes behind the nonce.
    pub(super) fn sealed_len(self) -> u64 {
        self.plain_len + self.chunks() * TAG as u64
    }

    /// Returns the number of chunks.
    pub(super) fn chunks(self) -> u64 {
        self.plain_len.div_ceil(CHUNK as u64).max(1)
    }

    /// Returns the place of chunk `index`.
    pub(super) fn place(self, index: u64) -> Place {
        Place { index, last: index + 1 == self.chunks() }
    }

    /// Returns where chunk `index` and its tag lie behind the nonce.
    pub(super) fn range(self, index: u64) -> Range<u64> {
        let start = index * SEALED_CHUNK as u64;
        start..(start + SEALED_CHUNK as u64).min(self.sealed_len())
    }
}

/// Encrypts bytes in memory; returns nonce and chunks.
pub(super) fn seal_bytes(file_key: &FileKey, plain: &[u8], random: &mut Random<'_>) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    random(&mut nonce);
    let cipher = Cipher::new(file_key, &nonce);
    let layout = Layout::of_plain(plain.len() as u64);
    let mut sealed = Vec::with_capacity(NONCE + layout.sealed_len() as usize);
    sealed.extend(nonce);
    let mut rest = plain;
    for index in 0..layout.chunks() {
        let (chunk, later) = rest.split_at(rest.len().min(CHUNK));
        let start = sealed.len();
        sealed.extend(chunk);
        let tag = cipher.seal(layout.place(index), &mut sealed[start..]);
        sealed.extend(tag);
        rest = later;
    }
    sealed
}

/// Decrypts nonce and chunks in memory.
pub(super) fn open_bytes(file_key: &FileKey, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, sealed) = payload.split_first_chunk().ok_or(HeaderError::Truncated)?;
    let layout = Layout::of_sealed(sealed.len() as u64)?;
    let cipher = Cipher::new(file_key, nonce);
    let mut plain = Zeroizing::new(Vec::with_capacity(layout.plain_len() as usize));
    for (index, chunk) in sealed.chunks(SEALED_CHUNK).enumerate() {
        let index = index as u64;
        let bad_tag = || PayloadError::Chunk { index, bytes: layout.range(index) };
        let (chunk, tag) = chunk.split_last_chunk().ok_or_else(bad_tag)?;
        let start = plain.len();
        plain.extend_from_slice(chunk);
        if !cipher.open(layout.place(index), &mut plain[start..], tag) {
            return Err(bad_tag().into());
        }
    }
    Ok(plain)
}

/// Why a payload cannot be opened.
#[derive(Debug)]
pub enum PayloadError {
    /// There is no chunk.
    Empty,
    /// The last chunk is too short to be one.
    ShortLastChunk,
    /// A chunk was changed, moved, cut off, or is from another file.
    Chunk {
        /// The chunk's number, from 0.
        index: u64,
        /// The bytes that it and its tag take in the file, or behind the nonce where there is no file.
        bytes: Range<u64>,
    },
    /// The system could not read a chunk.
    Io {
        /// The bytes of the file that were asked for.
        bytes: Range<u64>,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the payload is missing"),
            Self::ShortLastChunk => f.write_str("the last chunk is too short: the file is truncated"),
            Self::Chunk { index, bytes } => {
                write!(f, "chunk {index} (bytes {}..{}) has a wrong tag", bytes.start, bytes.end)
            }
            Self::Io { bytes, .. } => write!(f, "bytes {}..{} cannot be read", bytes.start, bytes.end),
        }
    }
}

impl Error for PayloadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The plain bytes of a chunk.
pub(super) const CHUNK: usize = 64 * 1024;

/// The bytes of a tag.
pub(super) const TAG: usize = 16;

/// The bytes of the nonce in front of the chunks.
pub(super) const NONCE: usize = 16;

/// The bytes of a chunk and its tag.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG;

const TAG_AND_MORE: usize = TAG + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_agree_from_both_sides() {
        for plain_len in [0, 1, 65_535, 65_536, 65_537, 131_072, 1 << 40] {
            let layout = Layout::of_plain(plain_len);
            assert_eq!(Layout::of_sealed(layout.sealed_len()).unwrap(), layout, "{plain_len} bytes");
            assert_eq!(layout.range(layout.chunks() - 1).end, layout.sealed_len());
        }
    }

    #[test]
    fn lengths_that_no_payload_has_are_refused() {
        assert!(matches!(Layout::of_sealed(0), Err(PayloadError::Empty)));
        for sealed_len in [1, 15, 65_553, 65_552 + 16, 2 * 65_552 + 1] {
            assert!(
                matches!(Layout::of_sealed(sealed_len), Err(PayloadError::ShortLastChunk)),
                "{sealed_len}"
            );
        }
    }
}
