//! Sealing what is made as it is written, where its length is known beforehand.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::Sealing;
use super::payload::{CHUNK, Cipher, Layout};

/// Writes an age file of an announced length. It is one only after [`SealingWriter::finish`].
#[derive(Debug)]
pub struct SealingWriter<W: Write> {
    out: W,
    cipher: Cipher,
    layout: Layout,
    /// How many chunks were written.
    sealed: u64,
    /// What is not sealed yet: at most one chunk.
    chunk: Zeroizing<Vec<u8>>,
}

impl Sealing {
    /// Writes the header, and returns what seals the `plain_len` bytes that follow.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn writer<W: Write>(self, mut out: W, plain_len: u64) -> io::Result<SealingWriter<W>> {
        out.write_all(&self.header.to_bytes())?;
        out.write_all(&self.nonce)?;
        Ok(SealingWriter {
            out,
            cipher: Cipher::new(&self.file_key, &self.nonce),
            layout: Layout::of_plain(plain_len),
            sealed: 0,
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK)),
        })
    }
}

impl<W: Write> SealingWriter<W> {
    /// Seals the last chunk and returns what was written to.
    ///
    /// # Errors
    ///
    /// When fewer bytes came than were announced, or `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        let left = self.layout.plain_len() - self.sealed * CHUNK as u64;
        if left != self.chunk.len() as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "received fewer bytes than announced"));
        }
        self.seal_chunk()?;
        Ok(self.out)
    }

    fn seal_chunk(&mut self) -> io::Result<()> {
        let tag = self.cipher.seal(self.layout.place(self.sealed), &mut self.chunk);
        self.out.write_all(&self.chunk)?;
        self.out.write_all(&tag)?;
        self.sealed += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let known = self.sealed * CHUNK as u64 + self.chunk.len() as u64;
        if bytes.len() as u64 > self.layout.plain_len() - known {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "received more bytes than announced"));
        }
        // The last chunk waits for `finish`, be it full or not.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal_chunk()?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::{Identity, Recipients, UnlockedFile, X25519Identity, open_bytes};

    #[test]
    fn a_stream_of_any_length_opens() {
        let mut counter = 0u8;
        let mut random = |bytes: &mut [u8]| {
            bytes.fill_with(|| {
                counter = counter.wrapping_mul(5).wrapping_add(1);
                counter
            });
        };
        let identity = X25519Identity::generate(&mut random);
        let recipients = Recipients::keys([identity.recipient()]).unwrap();
        let identities = [Identity::X25519(identity)];
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let sealing = || Sealing::new(&recipients, &mut |bytes: &mut [u8]| bytes.fill(7));
            let mut writer = sealing().writer(Vec::new(), len as u64).unwrap();
            for piece in plain.chunks(1000) {
                writer.write_all(piece).unwrap();
            }
            let sealed = writer.finish().unwrap();
            assert_eq!(*open_bytes(&sealed, &identities).unwrap(), plain);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&sealed).unwrap();
            let unlocked = UnlockedFile::open(file, &identities).unwrap();
            let mut read = vec![0; len.saturating_sub(300)];
            unlocked.read_exact_at(&mut read, 200.min(len as u64)).unwrap();
            assert_eq!(read, plain[200.min(len)..][..read.len()]);
            assert!(unlocked.read_exact_at(&mut [0; 1], len as u64).is_err());
            let mut short = sealing().writer(Vec::new(), len as u64 + 1).unwrap();
            short.write_all(&plain).unwrap();
            assert!(short.finish().is_err());
            let mut long = sealing().writer(Vec::new(), len as u64).unwrap();
            assert!(long.write_all(&[&plain[..], b"x"].concat()).is_err());
        }
    }
}
