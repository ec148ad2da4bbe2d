//! Proves what happened: one tamper-evident log of every act with an effect.
//!
//! An act begins durably or does not begin, and always ends: [`Audit::begin`] returns an [`OpenEntry`] when the intent is
//! on the disk, and what comes of the act is written by ending that. Entries form a hash chain in each stream and one
//! Merkle tree over all of them, whose root is signed and copied to anchors. So anybody can check a log offline, with
//! [`Log::verify`] or with programs that share no code with this one; and payloads can be erased lawfully, while chain
//! and tree stay whole.
//!
//! ```
//! use serde_json::json;
//! use stack_audit::{Actor, Audit, AuditOptions, Draft, Kind, Log, StreamId, VerifyOptions, key};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # let random = |bytes: &mut [u8]| bytes.fill(7); // An example needs no secrets; everything else does.
//! let signing = key::read_or_make(&key::default_path(folder), &random)?;
//! let audit = Audit::open(folder, AuditOptions::new(signing, Box::new(|| 1_790_000_000_000), Box::new(random)))?;
//! let pull = Draft::new(StreamId::named("registry"), Kind::PULL, Actor::new("user:alice")?);
//! let open = audit.begin(pull.with(json!({"model": "qwen/qwen3-4b"})))?;
//! // Now the model may be downloaded.
//! open.done(json!({"bytes": 2_497_280_256_u64}))?;
//! audit.close()?;
//!
//! let report = Log::open(folder)?.verify(&VerifyOptions::default())?;
//! assert_eq!((report.entries, report.open_intents), (3, 0));
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`entry`] is the bytes that are hashed, [`payload`] what they commit to, [`scrub`] what never gets into it;
//! [`tree`], [`note`] and [`verify`] prove, [`export`] carries proofs away. All of that is pure. Then the database
//! (`store`), the one thread that writes (`writer`, with what it does after a crash), `audit` and `log`, the two doors, and
//! [`retain`], what may be erased.
//!
//! What this crate deliberately does not do: it knows no agent, gateway or registry (kinds are numbers, payloads are bytes);
//! it prints nothing and opens no network; time, randomness and keys are arguments. It needs a Unix.
//!
//! Invariants:
//! - An acknowledged entry is there after a kill or a loss of power, and the log verifies.
//! - After a flush that failed, nothing more is written: what the disk holds is unknown until the log is opened again.
//! - An intent without an effect gets one at the next opening, `ambiguous` unless its act only computed or read.
//! - Secrets are replaced before anything is hashed.
//! - No log, note or export makes a reader panic, or take more memory than its size justifies.

pub mod entry;
#[cfg(test)]
mod golden;
mod hash;
mod identity;
mod kind;
pub mod payload;

pub mod scrub;

pub mod note;
mod ranges;
pub mod tree;
pub mod verify;

pub mod export;

mod draft;
mod error;
mod ownership;
mod prepare;
mod store;
mod writer;

pub mod anchor;
mod audit;
pub mod key;
mod log;
mod open_entry;
pub mod requirement;
pub mod retain;

pub use anchor::{Anchor, AnchorFailures};
pub use audit::{Audit, AuditMetrics, AuditOptions, Clock};
pub use draft::{Draft, Durability, Receipt};
pub use entry::{Actor, BadEntry, Circumstances, Confinement, Entry, Outcome, Phase, Taint};
pub use error::AuditError;
pub use export::{ExportFormat, ExportOptions};
pub use hash::Hash;
pub use identity::{BadStream, LogId, StreamId};
pub use kind::Kind;
pub use log::{ConsistencyProof, FullEntry, InclusionProof, Log, PayloadState, StreamSummary, VerifyOptions};
pub use open_entry::OpenEntry;
pub use ownership::Ownership;
pub use payload::{BadPayload, Payload};
pub use prepare::Random;
pub use ranges::Ranges;
pub use retain::{Holds, Selection};
pub use scrub::{BadSecret, Scrubber};
pub use stack_seal::statement::Tier;
pub use store::StoreError;
pub use verify::{Fault, FaultClass, Report};
pub use writer::{CheckpointInterval, Recovery};
