//! Digests, keys, signatures, sealed streams and what is verified.

mod hex;
pub mod key;
