//! Who may vouch for which model, and what follows.
//!
//! A [`Policy`] is what the operator wrote: identities, rules for names, revocations. [`judge`] holds
//! signatures, whose cryptography was checked before, against it and answers with a [`Verdict`]: every check by name,
//! its outcome, and at which one it ends. All of this is pure: the clock is an argument, and nothing here reads a file.
//!
//! Two memories outlive a verdict. [`RollbackMarks`] hold the highest serial that was accepted for each key and name, so
//! that an older statement never comes back; they also hold the newest time that a trusted signer has named, below which
//! no clock is believed. Neither makes anything trusted.

mod judge;
mod pattern;
mod rollback;
mod rules;
mod verdict;

pub use judge::{Case, Template, TrustState, judge};
pub use pattern::{BadPattern, Pattern};
pub use rollback::{BadMarks, RollbackMarks};
pub use rules::{Enforcement, Identity, Policy, Revocation, Rule, Sealing};
pub use verdict::{Check, Outcome, Reason, Step, Verdict};
