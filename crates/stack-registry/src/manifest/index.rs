//! The index: every name and every referrer of a store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stack_seal::digest::Digest;

use super::{Annotations, BadDocument, Descriptor, Kinds, key, kind, parse, text};
use crate::json;
use crate::name::Name;

/// An OCI index, whose order is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    #[serde(deserialize_with = "text::version_2")]
    schema_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// The manifests. Foreign ones may have a name that is none of ours; they are kept.
    pub manifests: Vec<Descriptor>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    ///
    /// When it is too long, no JSON, or no index.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadDocument> {
        let index: Self = parse("index", bytes)?;
        let Kinds { layers, config, .. } = parse("index", bytes)?;
        if layers.is_some() || config.is_some() {
            return Err(BadDocument::new("index", "is a manifest as well"));
        }
        match &index.media_type {
            Some(other) if other != kind::INDEX => {
                Err(BadDocument::new("index", format!("has the type {other:?}")))
            }
            _ => Ok(index),
        }
    }

    /// Writes the index.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_bytes(self)
    }

    /// Finds the entry of a name. Where a foreign tool wrote the name twice, the last one counts.
    pub fn find(&self, name: &Name) -> Option<&Descriptor> {
        self.manifests.iter().rfind(|entry| name_of(entry).as_ref() == Some(name))
    }

    /// Iterates over the entries with names, in the order of the index.
    pub fn named(&self) -> impl Iterator<Item = (Name, &Descriptor)> {
        self.manifests.iter().filter_map(|entry| Some((name_of(entry)?, entry)))
    }

    /// Iterates over the entries that refer to a manifest.
    pub fn referrers(&self, subject: &Digest) -> impl Iterator<Item = &Descriptor> {
        let subject = subject.to_string();
        self.manifests.iter().filter(move |entry| entry.annotations.get(key::SUBJECT) == Some(&*subject))
    }

    /// Sorts the entries that refer to manifests by these, for those who ask about many.
    pub fn all_referrers(&self) -> BTreeMap<&str, Vec<&Descriptor>> {
        let mut referrers = BTreeMap::<_, Vec<_>>::new();
        for entry in &self.manifests {
            if let Some(subject) = entry.annotations.get(key::SUBJECT) {
                referrers.entry(subject).or_default().push(entry);
            }
        }
        referrers
    }

    /// Gives an entry its name; whatever had it before loses it.
    pub fn bind(&mut self, name: &Name, entry: Descriptor) {
        self.bind_all(BTreeMap::from([(name.clone(), entry)]));
    }

    /// Gives entries their names; whatever had one of them before loses it.
    pub fn bind_all(&mut self, entries: BTreeMap<Name, Descriptor>) {
        self.manifests.retain(|entry| name_of(entry).is_none_or(|name| !entries.contains_key(&name)));
        for (name, mut entry) in entries {
            entry.annotations.set(key::REF_NAME, name.to_string());
            self.manifests.push(entry);
        }
    }

    /// Lists a manifest that refers to another one. What was said about it before without a name counts no more: it may
    /// be damaged.
    pub fn refer(&mut self, referrer: Descriptor) {
        if !self.manifests.contains(&referrer) {
            let is_named = |entry: &Descriptor| entry.annotations.get(key::REF_NAME).is_some();
            self.manifests.retain(|entry| entry.digest != referrer.digest || is_named(entry));
            self.manifests.push(referrer);
        }
    }

    /// Removes the entries of a name and returns whether there was one.
    pub fn unbind(&mut self, name: &Name) -> bool {
        let before = self.manifests.len();
        self.manifests.retain(|entry| name_of(entry).as_ref() != Some(name));
        self.manifests.len() < before
    }
}

/// The empty index.
impl Default for Index {
    fn default() -> Self {
        Self {
            schema_version: 2,
            media_type: Some(kind::INDEX.to_owned()),
            manifests: Vec::new(),
            annotations: Annotations::default(),
        }
    }
}

fn name_of(entry: &Descriptor) -> Option<Name> {
    Name::parse(entry.annotations.get(key::REF_NAME)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_one_entry() {
        let mut index = Index::default();
        let name = Name::parse("a/b").unwrap();
        index.bind(&name, Descriptor::of(kind::MANIFEST, b"1"));
        index.bind(&name, Descriptor::of(kind::MANIFEST, b"2"));
        let again = Index::parse(&index.to_bytes()).unwrap();
        assert_eq!(again, index);
        assert_eq!(again.named().count(), 1);
        assert_eq!(again.find(&name).unwrap().digest, Descriptor::of("", b"2").digest);
        assert!(index.unbind(&name) && !index.unbind(&name));
    }

    #[test]
    fn a_referrer_is_listed_once_and_as_it_is() {
        let mut index = Index::default();
        let referrer = Descriptor::of(kind::MANIFEST, b"1").with(key::SUBJECT, "sha256:right");
        index.manifests.push(Descriptor::of(kind::MANIFEST, b"1").with(key::SUBJECT, "sha256:wrong"));
        index.bind(&Name::parse("a").unwrap(), Descriptor::of(kind::MANIFEST, b"1"));
        index.refer(referrer.clone());
        index.refer(referrer.clone());
        assert_eq!((index.manifests.len(), index.manifests.last()), (2, Some(&referrer)));
        assert_eq!(index.named().count(), 1, "names stay");
    }

    #[test]
    fn the_empty_index_has_known_bytes() {
        // The vector of docs/formats/store.md, which another program made.
        let vector = "dff9de10919148711140d349bf03f1a99eb06f94b03e51715ccebfa7cdc518e2";
        assert_eq!(Descriptor::of("", &Index::default().to_bytes()).digest.hex(), vector);
    }

    #[test]
    fn foreign_names_are_kept_but_mean_nothing() {
        let mut index = Index::default();
        index.manifests.push(Descriptor::of(kind::MANIFEST, b"").with(key::REF_NAME, "../../etc/passwd"));
        assert_eq!((index.named().count(), index.manifests.len()), (0, 1));
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":3,"manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"manifests":[],"config":{}}"#,
        ] {
            assert!(Index::parse(text.as_bytes()).is_err(), "{text}");
        }
        let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, kind::MANIFEST);
        assert!(Index::parse(manifest.as_bytes()).is_err());
    }
}
