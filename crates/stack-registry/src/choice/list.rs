//! What there is to choose from: the models of the store, and whatever lies at a path.

use std::path::Path;

use super::Spelling;
use crate::manifest::Descriptor;
use crate::name::{NEAR_MAX, Name, Reference, near_names};
use crate::store::{Entry, Store, StoreError};

/// The models of the store, and a look at the disk.
pub struct ModelList<'a> {
    models: Vec<ListedModel>,
    is_there: &'a dyn Fn(&Path) -> bool,
}

/// A model of the store, as far as it takes to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name.
    pub name: Name,
    /// Where it came from.
    pub origin: Option<String>,
    /// The commit or digest that it had there.
    pub commit: Option<String>,
    /// The digest of its manifest.
    pub digest: Option<String>,
    /// The paths of its files.
    pub files: Vec<String>,
}

impl ModelList<'static> {
    /// Collects what may be meant by an argument; `open` opens the store, if there is one. For what is spelled like a
    /// path it is not even opened.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened or read.
    pub fn beside(
        spelling: &Spelling,
        open: impl FnOnce() -> Result<Option<Store>, StoreError>,
    ) -> Result<Self, StoreError> {
        let store = match spelling {
            Spelling::Name(_) | Spelling::Word(_) | Spelling::Address { .. } => open()?,
            Spelling::BuiltIn
            | Spelling::BadAddress(_)
            | Spelling::Path(_)
            | Spelling::Text(_)
            | Spelling::Empty => None,
        };
        let with_files = matches!(spelling, Spelling::Address { .. });
        let models = match &store {
            Some(store) => {
                store.entries()?.into_iter().map(|entry| ListedModel::of(store, entry, with_files)).collect()
            }
            None => Vec::new(),
        };
        Ok(Self::new(models, &Path::exists))
    }
}

impl<'a> ModelList<'a> {
    /// Makes a list of models.
    pub fn new(models: Vec<ListedModel>, is_there: &'a dyn Fn(&Path) -> bool) -> Self {
        Self { models, is_there }
    }

    /// Whether the store has the name.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.models.iter().any(|model| model.name == *name)
    }

    /// Whether a file or folder lies there.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        (self.is_there)(path)
    }

    /// The models of the store.
    pub(super) fn models(&self) -> impl Iterator<Item = &ListedModel> {
        self.models.iter()
    }

    /// Names of the store that somebody may have meant.
    pub(super) fn near(&self, word: &str) -> Vec<String> {
        near_names(word, self.models.iter().map(|model| &model.name))
    }

    /// Names of models that came from the same repository as an address, whichever version or file it names.
    pub(super) fn of_same_source(&self, reference: &Reference) -> Vec<String> {
        let repository = match reference.clone() {
            Reference::Hub { owner, repository, .. } => {
                Reference::Hub { owner, repository, revision: None, choice: None }
            }
            other => other,
        };
        let same = self.models.iter().filter(|model| match &repository {
            Reference::Oci { host, repository, .. } => {
                let source = format!("oci://{host}/{repository}");
                model
                    .origin
                    .as_deref()
                    .and_then(|origin| origin.strip_prefix(&*source))
                    .is_some_and(|rest| rest.starts_with(['@', ':']))
            }
            other => model.is_from(other),
        });
        same.map(|model| model.name.short()).take(NEAR_MAX).collect()
    }
}

impl ListedModel {
    fn of(store: &Store, entry: Entry, with_files: bool) -> Self {
        let manifest = with_files.then(|| store.manifest(&entry.manifest.digest).ok()).flatten();
        let paths = |layer: &Descriptor| layer.file_path().map(|path| path.to_string());
        Self {
            origin: entry.record.origin,
            commit: entry.record.commit,
            digest: Some(entry.manifest.digest.to_string()),
            files: manifest.iter().flat_map(|manifest| &manifest.layers).filter_map(paths).collect(),
            name: entry.name,
        }
    }
}
