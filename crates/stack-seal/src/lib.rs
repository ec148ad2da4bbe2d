//! Digests, keys, signatures, sealed streams and what is verified.

pub mod age;
pub mod digest;
mod file;
mod hex;
pub mod key;
pub mod keyfile;
mod parallel;
pub mod verified;
