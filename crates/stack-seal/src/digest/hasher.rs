//! Hashing in a stream.

use sha1::Sha1;
use sha2::Digest as _;
use sha2::Sha256;

use super::{Algorithm, Digest, Root};
use crate::hex;

/// Computes SHA-256 over bytes that arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends and returns the digest.
    pub fn finish(self) -> Digest {
        Digest { algorithm: Algorithm::Sha256, bytes: self.0.finalize().into() }
    }
}

/// Computes BLAKE3 over bytes that arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct Blake3Hasher(blake3::Hasher);

impl Blake3Hasher {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends and returns the root.
    pub fn finish(self) -> Root {
        Root(*self.0.finalize().as_bytes())
    }
}

/// Computes git's name of a file: SHA-1 over its length and its bytes.
///
/// It checks a transfer, nothing more: SHA-1 collides, and so the result is text, not a [`Digest`].
#[derive(Clone, Debug)]
pub struct GitBlobHasher(Sha1);

impl GitBlobHasher {
    /// Starts a file of this many bytes.
    pub fn new(length: u64) -> Self {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {length}\0"));
        Self(hasher)
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends and returns 40 lower-case hex digits.
    pub fn finish(self) -> String {
        hex::encode(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_whole_agree() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let (mut sha, mut blake) = (Sha256Hasher::new(), Blake3Hasher::new());
        for piece in bytes.chunks(977) {
            sha.update(piece);
            blake.update(piece);
        }
        assert_eq!(sha.finish().bytes, <[u8; 32]>::from(Sha256::digest(&bytes)));
        assert_eq!(blake.finish(), Root::of(&bytes));
    }

    #[test]
    fn known_answers() {
        let mut sha = Sha256Hasher::new();
        sha.update(b"abc");
        assert_eq!(sha.finish().hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // `printf 'hello\n' | git hash-object --stdin`
        let mut git = GitBlobHasher::new(6);
        git.update(b"hello\n");
        assert_eq!(git.finish(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
