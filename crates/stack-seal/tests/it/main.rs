//! Published vectors, read from the reference data, with exact counts: a lost file fails.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod bundles;
mod published;
mod signatures;
mod vectors;
