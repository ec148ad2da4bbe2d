//! Digests, keys, signatures, sealed streams and what is verified.

pub mod digest;
mod hex;
pub mod key;
