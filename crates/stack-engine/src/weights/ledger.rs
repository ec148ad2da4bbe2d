//! The metadata of a model while its spec is read: whatever is asked for is remembered.

use std::cell::RefCell;
use std::collections::HashSet;

use super::{Metadata, Value};

/// Metadata that remembers which keys were asked for. What reads a spec sees the metadata through it alone, so a key
/// that is not in the ledger at the end has not shaped the spec.
pub(crate) struct Ledger<'a> {
    metadata: &'a Metadata,
    asked: RefCell<HashSet<String>>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(metadata: &'a Metadata) -> Self {
        Self { metadata, asked: RefCell::default() }
    }

    /// Opens the metadata to ask for one key.
    pub(crate) fn ask(&self, key: &str) -> &'a Metadata {
        if !self.asked.borrow().contains(key) {
            self.asked.borrow_mut().insert(key.to_owned());
        }
        self.metadata
    }

    /// Looks at a value without asking for it: whether it is used is decided by what it is.
    pub(crate) fn peek(&self, key: &str) -> Option<&'a Value> {
        self.metadata.value(key)
    }

    /// The keys that nothing asked for, with their values, in file order.
    pub(crate) fn unasked(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.metadata.iter().filter(|(key, _)| !self.asked.borrow().contains(*key))
    }
}
