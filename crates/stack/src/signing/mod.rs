//! What is signed and verified: a file, a folder, or a model of the store.

mod bundles;
mod facts;
mod folder;
mod hashing;
mod parts;
mod target;

pub(crate) use bundles::{read_bundle, stored_signature_of, unsigned, usable};
pub(crate) use facts::ModelFacts;
pub(crate) use hashing::{hash_plainly, hash_twice};
pub(crate) use parts::plain_form;
pub(crate) use target::{Target, TargetFile};
