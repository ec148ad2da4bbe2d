//! Facts by name.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// String facts by name, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Annotations(BTreeMap<String, String>);

impl Annotations {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a fact.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets a fact.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Removes a fact.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Iterates over the facts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Strict)
    }
}

/// Refuses what a plain map would silently overwrite.
struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations, each with one text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut annotations = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if annotations.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate annotation {key:?}")));
            }
            annotations.insert(key, value);
        }
        Ok(Annotations(annotations))
    }
}

/// The annotations that the store knows.
pub mod key {
    /// The name of an entry of the index.
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
    /// The path of a file in its model.
    pub const FILE_PATH: &str = "org.cncf.model.filepath";
    /// The same, as other tools write it; read, never written.
    pub const TITLE: &str = "org.opencontainers.image.title";
    /// The BLAKE3 root of a file, `blake3:<64 hex>`.
    pub const BLAKE3: &str = "dev.sovereign-stack.blake3";
    /// Where a model came from, as a reference.
    pub const ORIGIN: &str = "dev.sovereign-stack.origin";
    /// The upstream's commit or digest at that moment.
    pub const COMMIT: &str = "dev.sovereign-stack.commit";
    /// Who signed what was accepted under this name.
    pub const SIGNER: &str = "dev.sovereign-stack.signer";
    /// When the name was given, in seconds since 1970.
    pub const NAMED_AT: &str = "dev.sovereign-stack.named-at";
    /// For whom a header is, as age recipients with blanks between them. Headers themselves do not say.
    pub const RECIPIENTS: &str = "dev.sovereign-stack.recipients";
    /// Whether a sealed model was sealed in this store.
    pub const SEALED_HERE: &str = "dev.sovereign-stack.sealed-here";
    /// The digest of the manifest that an entry without a name refers to.
    pub const SUBJECT: &str = "dev.sovereign-stack.subject";
}
