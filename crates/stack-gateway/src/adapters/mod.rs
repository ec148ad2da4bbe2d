//! The adapters in force: those that are part of the program, and in place of them those of the operator's folder.
//!
//! A set is made of files as a whole, or not at all, and published in one step. Whoever asks a provider takes the set once
//! and keeps what it found, so that a request and its reply are read by the same rules. Who reads the files, and when, is
//! not this module's matter.

mod fault;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use stack_wire::provider::{Adapter, Family, Recordings, ShippedSpec};

pub use self::fault::{AdapterFault, AdapterProblem};

use crate::provider::ProviderKind;

/// The adapters of all providers, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterSet {
    entries: BTreeMap<(String, Family), AdapterEntry>,
}

/// One adapter, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterEntry {
    /// What it does.
    pub adapter: Arc<Adapter>,
    /// The name of its file.
    pub file: String,
    /// The file.
    pub text: String,
    /// Whether it is part of the program.
    pub is_shipped: bool,
}

/// What a folder of adapters holds: files by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterFiles {
    /// The specs.
    pub specs: BTreeMap<String, Vec<u8>>,
    /// The recordings that the specs name as their examples, without the end of the files' names.
    pub recordings: BTreeMap<String, Vec<u8>>,
}

/// The set in force, which may be exchanged while requests are under way.
#[derive(Clone, Debug)]
pub struct Adapters(Arc<RwLock<Arc<AdapterSet>>>);

impl AdapterSet {
    /// Returns the adapters that are part of the program.
    pub fn shipped() -> Arc<Self> {
        Arc::clone(&SHIPPED)
    }

    /// Makes a set of files, in place of those of the program that are for the same provider and family. Each must break no
    /// rule and pass its examples, or nothing comes of any.
    ///
    /// # Errors
    ///
    /// What is wrong with each file.
    pub fn load(files: &AdapterFiles) -> Result<Self, Vec<AdapterFault>> {
        let mut recordings = Recordings::shipped();
        for (name, text) in &files.recordings {
            recordings.add(name, text.clone());
        }
        let (mut set, mut faults) = (Self::clone(&SHIPPED), Vec::new());
        for (file, text) in &files.specs {
            match set.entry(file, text, &recordings) {
                Ok((key, entry)) => drop(set.entries.insert(key, entry)),
                Err(problem) => faults.push(AdapterFault { file: file.clone(), problem }),
            }
        }
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    /// Checks a file as one of this set.
    fn entry(
        &self,
        file: &str,
        text: &[u8],
        recordings: &Recordings,
    ) -> Result<((String, Family), AdapterEntry), AdapterProblem> {
        let adapter = Adapter::load(text, recordings)?;
        let key = (adapter.provider().to_owned(), adapter.family());
        if let Some(before) = self.entries.get(&key) {
            let version = before.adapter.version();
            if !before.is_shipped {
                return Err(AdapterProblem::Twice { other: before.file.clone() });
            }
            if adapter.version() <= version && before.text.as_bytes() != text {
                return Err(AdapterProblem::VersionTaken { version });
            }
        }
        let text = String::from_utf8_lossy(text).into_owned();
        Ok((key, AdapterEntry { adapter: Arc::new(adapter), file: file.to_owned(), text, is_shipped: false }))
    }

    /// Finds the adapter of a provider: its own, or that of its kind.
    pub fn find(&self, provider: &str, kind: ProviderKind, family: Family) -> Option<Arc<Adapter>> {
        let of = |name: &str| self.entries.get(&(name.to_owned(), family));
        of(provider).or_else(|| of(kind.name())).map(|entry| Arc::clone(&entry.adapter))
    }

    /// Lists all, by provider.
    pub fn entries(&self) -> impl Iterator<Item = &AdapterEntry> {
        self.entries.values()
    }
}

impl Adapters {
    /// Puts a set in force.
    pub fn new(set: Arc<AdapterSet>) -> Self {
        Self(Arc::new(RwLock::new(set)))
    }

    /// Returns the set that is in force now.
    pub fn current(&self) -> Arc<AdapterSet> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another set in force, for requests that begin from now on.
    pub fn publish(&self, set: Arc<AdapterSet>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }
}

/// Compiled once, from what is part of the program.
static SHIPPED: LazyLock<Arc<AdapterSet>> = LazyLock::new(|| {
    let recordings = Recordings::shipped();
    let entries = ShippedSpec::ALL.iter().map(|spec| {
        let adapter = Arc::new(spec.load(&recordings).expect("a test loads each of them"));
        let key = (adapter.provider().to_owned(), adapter.family());
        let (file, text) = (spec.file.to_owned(), spec.text.to_owned());
        (key, AdapterEntry { adapter, file, text, is_shipped: true })
    });
    Arc::new(AdapterSet { entries: entries.collect() })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(provider: &str, version: u32) -> Vec<u8> {
        format!(
            r#"{{"spec":1,"provider":"{provider}","version":{version},"family":"ollama","examples":["ollama-text"]}}"#
        )
        .into_bytes()
    }

    fn load(specs: &[(&str, Vec<u8>)]) -> Result<AdapterSet, Vec<String>> {
        let specs = specs.iter().map(|(file, text)| ((*file).to_owned(), text.clone())).collect();
        let loaded = AdapterSet::load(&AdapterFiles { specs, ..AdapterFiles::default() });
        loaded.map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn version(set: &AdapterSet, provider: &str) -> Option<u32> {
        set.find(provider, ProviderKind::Ollama, Family::Ollama).map(|adapter| adapter.version())
    }

    #[test]
    fn every_kind_has_an_adapter_for_each_of_its_families() {
        let set = AdapterSet::shipped();
        for kind in ProviderKind::ALL {
            for interface in [crate::provider::Interface::Chat, crate::provider::Interface::Responses] {
                if kind.has_interfaces() || interface == kind.interface() {
                    assert!(
                        set.find("any", kind, kind.family(interface)).is_some(),
                        "{kind:?} {interface:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_file_takes_the_place_of_the_shipped_one_and_a_providers_own_goes_first() {
        let set = load(&[("a.json", spec("ollama", 2)), ("b.json", spec("box-1", 1))]).unwrap();
        assert_eq!((version(&set, "box-2"), version(&set, "box-1")), (Some(2), Some(1)));
        assert_eq!(version(&AdapterSet::shipped(), "box-1"), Some(1), "the shipped set is untouched");
        assert_eq!(set.entries().filter(|entry| !entry.is_shipped).count(), 2);
    }

    #[test]
    fn a_set_is_good_as_a_whole_or_nothing() {
        let faults = load(&[
            ("a.json", spec("ollama", 1)),
            ("b.json", b"{}".to_vec()),
            ("c.json", spec("x", 1)),
            ("d.json", spec("x", 2)),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("a.json: version 1"), "{faults:?}");
        assert!(faults[1].starts_with("b.json: the key \"spec\" is missing"), "{faults:?}");
        assert!(faults[2].starts_with("d.json: c.json is for the same"), "{faults:?}");
    }

    #[test]
    fn whoever_took_a_set_keeps_it() {
        let adapters = Adapters::new(AdapterSet::shipped());
        let before = adapters.current();
        adapters.publish(Arc::new(load(&[("a.json", spec("ollama", 7))]).unwrap()));
        assert_eq!((version(&before, "o"), version(&adapters.current(), "o")), (Some(1), Some(7)));
    }
}
