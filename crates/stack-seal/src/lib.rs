//! Digests, keys, signatures, sealed streams and what is verified.

pub mod digest;
mod file;
mod hex;
pub mod key;
mod parallel;
pub mod verified;
