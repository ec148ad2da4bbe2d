//! Digests, keys, signatures, sealed streams and what is verified.

pub mod bundle;
pub mod digest;
mod hex;
mod json;
pub mod key;
pub mod revocation;
pub mod statement;
pub mod time;
