//! Models as signed, encrypted, content-addressed artifacts.
//!
//! A [`Store`](store::Store) is an OCI image layout on disk: blobs by digest, and an index of names. Models come into
//! it as downloads, as packages from another machine, or by adoption where they lie; each way ends in
//! [`PartialBlob::publish`](store::PartialBlob::publish), which reads back what the file holds before it gets the name of its digest.
//!
//! What this crate does not do: it opens no socket, reads no clock and no environment, and trusts no name. No text from
//! outside becomes a path; files are named by parsed digests beneath handles of the store's folders.
//!
//! ```
//! use stack_registry::name::Name;
//! use stack_registry::store::Store;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! let store = Store::open(home.path())?;
//! let lease = store.lease()?;
//! let digest = store.put(&lease, b"hello")?;
//! assert_eq!(store.read(&digest, 100)?, b"hello");
//! assert!(store.resolve(&Name::parse("qwen/qwen3-4b:q4_k_m")?).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! Invariants, which tests break a disk to prove: a file lies under `blobs/` only after its digest matched; the index is
//! whole; what the index names is there; what a living lease lists stays. It needs a Unix.

pub mod manifest;
pub mod name;
pub mod store;

pub mod adopt;
pub mod attached;
pub mod choice;
pub mod file_name;
pub mod gc;
mod json;
pub mod model;
pub mod package;
pub mod sealing;

pub mod download;
pub mod fetch;
pub mod hub;
pub mod oci;
pub mod progress;
pub mod pull;
pub mod push;
mod random;
pub mod scheduler;
pub mod throttle;

pub use stack_url as url;
