//! Published vectors, read from the reference data, with exact counts: a lost file fails.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod age_vectors;
mod blake3_vectors;
mod bundles;
mod files;
mod interop;
mod primitives;
mod published;
mod published_sealed;
mod sealed;
mod signatures;
mod vectors;
