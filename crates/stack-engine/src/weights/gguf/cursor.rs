//! Reads little-endian values from bytes whose total length is known, and never more than there are.

use std::io::{self, Read};

use super::GgufError;

/// A position in a header.
pub(super) struct Cursor<R> {
    reader: R,
    position: u64,
    /// Where the header must have ended: the file's end, or the limit on headers.
    end: u64,
    /// What is being read, for errors.
    subject: String,
    /// Version 1 has lengths and counts of 32 bits.
    short_lengths: bool,
}

impl<R: Read> Cursor<R> {
    pub(super) fn new(reader: R, total: u64) -> Self {
        let end = total.min(HEADER_BYTES_MAX);
        Self { reader, position: 0, end, subject: "header".to_owned(), short_lengths: false }
    }

    /// Says what is read from here on.
    pub(super) fn about(&mut self, subject: impl Into<String>) {
        self.subject = subject.into();
    }

    /// Makes lengths and counts 32 bits wide, as version 1 has them.
    pub(super) fn use_short_lengths(&mut self) {
        self.short_lengths = true;
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Makes an error about this place.
    pub(super) fn error(&self, problem: impl Into<String>) -> GgufError {
        let (subject, problem) = (self.subject.clone(), problem.into());
        GgufError { offset: self.position, subject, problem, source: None }
    }

    /// Reads exactly `len` bytes, after checking that so many are left.
    pub(super) fn bytes(&mut self, len: u64) -> Result<Vec<u8>, GgufError> {
        let size = self.require(len)?;
        let mut bytes = vec![0; size];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.require(N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a length, count or dimension, in the width that the version has.
    pub(super) fn length(&mut self) -> Result<u64, GgufError> {
        if self.short_lengths { self.u32().map(u64::from) } else { self.u64() }
    }

    /// Reads the number of things that follow, each of at least `bytes_min` bytes; there are at most `max`.
    pub(super) fn count(&mut self, what: &str, bytes_min: u64, max: u64) -> Result<usize, GgufError> {
        let count = self.length()?;
        if count > max {
            return Err(self.error(format!("claims {count} {what}; at most {max} are allowed")));
        }
        self.require(count.saturating_mul(bytes_min)).map_err(|_| {
            self.error(format!("claims {count} {what}, but only {} bytes are left", self.left()))
        })?;
        Ok(count as usize)
    }

    /// Reads a length and as many bytes; there are at most `max`.
    pub(super) fn string(&mut self, max: u64) -> Result<Vec<u8>, GgufError> {
        let len = self.length()?;
        if len > max {
            return Err(self.error(format!("has a string of {len} bytes; at most {max} are allowed")));
        }
        self.bytes(len)
    }

    /// Bytes of the smallest string: its length.
    pub(super) fn string_bytes_min(&self) -> u64 {
        if self.short_lengths { 4 } else { 8 }
    }

    fn left(&self) -> u64 {
        self.end - self.position
    }

    fn require(&self, len: u64) -> Result<usize, GgufError> {
        let size = usize::try_from(len).ok().filter(|_| len <= self.left());
        size.ok_or_else(|| {
            let limit =
                if self.end == HEADER_BYTES_MAX { "before the limit on headers" } else { "in the file" };
            self.error(format!("needs {len} bytes, but only {} are left {limit}", self.left()))
        })
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), GgufError> {
        if let Err(source) = self.reader.read_exact(buffer) {
            let problem = if source.kind() == io::ErrorKind::UnexpectedEof {
                "the file ended while it was read"
            } else {
                "cannot be read"
            };
            return Err(GgufError { source: Some(source), ..self.error(problem) });
        }
        self.position += buffer.len() as u64;
        Ok(())
    }
}

/// The largest headers are vocabularies with merges, some 20 MB.
const HEADER_BYTES_MAX: u64 = 256 << 20;
