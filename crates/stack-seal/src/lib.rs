//! Knows what a model is, who vouches for it, and who may read it.
//!
//! Reading order: [`digest`] names contents, [`verified`] turns a file into bytes that were checked, [`age`] encrypts
//! files, [`key`] signs, [`keyfile`] keeps both kinds of secrets, [`statement`] is what a signer says about a model,
//! [`bundle`] is the file that carries it, [`revocation`] takes it back.
//!
//! ```
//! use stack_seal::age::{self, Identity, Recipients, X25519Identity};
//! # let mut random = |bytes: &mut [u8]| bytes.fill(7); // An example needs no secrets; everything else does.
//!
//! let alice = X25519Identity::generate(&mut random);
//! let recipients = Recipients::keys([alice.recipient()]).expect("there is one");
//! let sealed = age::seal_bytes(b"weights", &recipients, &mut random);
//! assert_eq!(*age::open_bytes(&sealed, &[Identity::X25519(alice)])?, b"weights");
//! # Ok::<(), age::OpenError>(())
//! ```
//!
//! This crate deliberately never opens a path or a socket, never reads the clock or the environment, and has no source
//! of randomness: files, times and random bytes are arguments. It is the only crate that names a crypto crate.
//!
//! Invariants:
//! - A [`verified::Verified`] was made of bytes whose root was compared, in the memory in which they were compared.
//! - There is one cipher and no way around it: no feature, flag or build weakens or removes it.
//! - A chunk or a wrapped key is decrypted only after its tag was found right.
//! - What a passphrase's header asks for is checked before memory is taken.
//! - Secrets are wiped when they go, and never shown. What the crates of scrypt, HMAC and HKDF keep in their own
//!   memory while they compute is not wiped.
//! - Nothing from a file makes it panic or allocate more than the file's length justifies.

pub mod digest;
pub mod verified;

pub mod age;

pub mod key;
pub mod keyfile;

pub mod statement;

pub mod bundle;
pub mod hex;
pub mod revocation;
pub mod time;

mod file;
mod json;
mod parallel;
