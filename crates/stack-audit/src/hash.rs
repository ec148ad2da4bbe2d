//! SHA-256 over the few things that are hashed here, each under a prefix of its own.

use stack_seal::digest::Sha256Hasher;

/// A SHA-256 digest: the hash of an entry, a node of the tree, a root or a commitment.
pub type Hash = [u8; 32];

/// Hashes parts as if they were joined.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finish().bytes
}
