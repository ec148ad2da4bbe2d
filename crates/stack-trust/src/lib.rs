//! Who is trusted for which model, and what follows for its bytes.
//!
//! A [`Target`](target::Target) is a file, a folder or a model of the store. Its signatures are held against a
//! [`Policy`](policy::Policy); the answer decides what each of its files must turn out to be before it is loaded
//! ([`admission`]), and [`verification`] compares the files themselves. [`identity`] and [`keyring`] are the secrets on
//! this machine that sign and open, [`sealed`] the files that they open.
//!
//! What this crate does not do: it opens no socket, reads no clock and no environment, has no source of randomness, and
//! prints nothing. Whoever can say a passphrase is a [`PassphraseSource`](passphrase::PassphraseSource), and
//! [`home`] is where the caller says it is.
//!
//! ```
//! use stack_seal::key::{KeyKind, SigningKey};
//! use stack_trust::trust_file::{Document, RuleRequest, parse_policy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = SigningKey::from_secret(KeyKind::Ed25519, &[1; 32])?.public();
//! let mut file = Document::parse("level = \"audit\"\n")?;
//! file.add_keys("alice", &[alice.clone()]);
//! file.add_rule(&RuleRequest { pattern: "med/**", signer: "alice", level: None, threshold: None });
//!
//! let policy = parse_policy(&file.to_string())?;
//! assert_eq!(policy.identity(&alice).map(|identity| identity.name.as_str()), Some("alice"));
//! assert!(policy.rule("med/qwen3:latest").is_some() && policy.rule("qwen3:latest").is_none());
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! - What is damaged is an error and never nothing: a policy, a mark or a revocation that cannot be read trusts nobody.
//! - A sealed file loads only against a root that a trusted signer named, or that was written down when it was sealed
//!   here: everybody who can open a sealed file can make another one.
//! - A secret file is written for its owner alone, and never over another one.
//! - A name of an identity never leads out of its folder.

pub mod policy;
pub mod trust_file;

pub mod signatures;
pub mod statement;
pub mod target;
pub mod verification;

pub mod admission;

pub mod identity;
pub mod keyring;
pub mod passphrase;
pub mod recipients;
pub mod rekey;
pub mod sealed;

pub mod home;
pub mod private_file;

#[cfg(test)]
mod fixtures;
