//! Digests, keys, signatures, sealed streams and what is verified.

pub mod age;
pub mod bundle;
pub mod digest;
mod file;
mod hex;
mod json;
pub mod key;
pub mod keyfile;
mod parallel;
pub mod revocation;
pub mod statement;
pub mod time;
pub mod verified;
