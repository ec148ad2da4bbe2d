//! What is signed and verified: a file, a folder, or a model of the store.

mod error;
mod folder;
mod hashing;
mod sealed_parts;

use std::path::{Path, PathBuf};
use std::{fs, io};

use stack_registry::file_name::SEALED;
use stack_registry::manifest::{Descriptor, FileFormat, Role};
use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::name::Name;
use stack_registry::sealing::recipients_of;
use stack_registry::store::{Blob, Store, StoreError};
use stack_seal::age::{UnlockedFile, X25519Recipient};
use stack_seal::digest::Root;

pub use error::{TargetError, UnlockError};
pub use hashing::{Hashed, HasherOptions};
pub use sealed_parts::plain_form;

use crate::keyring::{Opener, SealedBlobs};
use crate::policy::Template;
use crate::sealed::{self, SealedError};

/// A model that somebody vouches for.
pub enum Target {
    /// One file.
    File(PathBuf),
    /// A folder, with all that is in it.
    Folder(PathBuf),
    /// A model of the store.
    Stored(Box<StoredTarget>),
}

/// A model of the store that is open. Its files stay as long as it lives; what they hold is still to be verified.
pub struct StoredTarget {
    /// The store.
    pub store: Store,
    /// The model.
    pub model: StoredModel,
}

/// One file of a target.
#[derive(Clone, Debug)]
pub struct TargetFile {
    /// Its name in statements: a path below the folder.
    pub name: String,
    /// Where it lies; of a sealed file of the store, where its payload lies, and else where the age file lies.
    pub path: PathBuf,
    /// Whether what lies there is encrypted.
    pub sealed: bool,
}

/// A sealed file of the store, with its two halves.
#[derive(Clone, Copy)]
pub struct SealedModelFile<'a> {
    /// The file.
    pub file: &'a ModelFile,
    /// Its age header.
    pub header: &'a Blob,
    /// Its payload.
    pub payload: &'a Blob,
}

/// What the header of a model says, as far as a policy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// What its files are; `None` of what is no model.
    pub format: Option<FileFormat>,
    /// The digest of the chat template's bytes.
    pub template: Option<Root>,
}

impl Target {
    /// Finds what lies at a path, to sign or verify it.
    ///
    /// # Errors
    ///
    /// When nothing lies there, or neither a file nor a folder.
    pub fn at(path: PathBuf) -> Result<Self, TargetError> {
        let reading = |path: &Path| {
            let path = path.to_owned();
            move |source| TargetError::Read { path, source }
        };
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                // `.` and `models/..` get names, and signatures a place beside them.
                let whole = path.canonicalize().map_err(reading(&path))?;
                Ok(Self::Folder(whole))
            }
            Ok(found) if found.is_file() => Ok(Self::File(path)),
            Ok(_) => Err(TargetError::Special(path)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(TargetError::Missing(path))
            }
            Err(error) => Err(reading(&path)(error)),
        }
    }

    /// Opens a model of a store.
    ///
    /// # Errors
    ///
    /// When the store does not have it, or not all of it.
    pub fn stored(store: Store, name: &Name) -> Result<Self, StoreError> {
        let model = StoredModel::open(&store, name)?;
        Ok(Self::Stored(Box::new(StoredTarget { store, model })))
    }

    /// What people call it: the name of the file or folder, or of the model.
    pub fn title(&self) -> String {
        match self {
            Self::File(path) | Self::Folder(path) => file_name(path),
            Self::Stored(stored) => stored.model.entry.name.short(),
        }
    }

    /// The name that it is signed for, unless another is given: of a file, its stem.
    pub fn claim_name(&self) -> String {
        match self {
            Self::File(path) => {
                let name = file_name(&plain_form(path)).to_lowercase();
                name.strip_suffix(".gguf").unwrap_or(&name).replace(char::is_whitespace, "-")
            }
            Self::Folder(path) => file_name(path).to_lowercase().replace(char::is_whitespace, "-"),
            Self::Stored(stored) => stored.model.entry.name.to_string(),
        }
    }

    /// The name that rules see: of paths, a URL.
    pub fn policy_name(&self) -> String {
        match self {
            Self::File(path) | Self::Folder(path) => {
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                format!("file://{}", whole.display())
            }
            Self::Stored(stored) => stored.model.entry.name.to_string(),
        }
    }

    /// Lists its files, sorted by name; of a folder, all but the ignored ones.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read, or has something in it that no statement can name.
    pub fn files(&self, ignored: &[String]) -> Result<Vec<TargetFile>, TargetError> {
        match self {
            Self::File(path) => Ok(vec![TargetFile {
                name: file_name(&plain_form(path)),
                path: path.clone(),
                sealed: sealed::lies_at(path),
            }]),
            Self::Folder(path) => folder::list(path, ignored),
            Self::Stored(stored) => {
                let file = |file: &ModelFile| {
                    let (blob, sealed) = match &file.bytes {
                        FileBytes::Plain(blob) => (blob, false),
                        FileBytes::Sealed { payload, .. } => (payload, true),
                    };
                    TargetFile { name: file.path.as_str().to_owned(), path: blob.path.clone(), sealed }
                };
                let mut files: Vec<_> = stored.model.files.iter().map(file).collect();
                files.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(files)
            }
        }
    }

    /// Lists the parts of a model at a path that are sealed, by the names of their plain forms. What lies there in clear as
    /// well is not among them.
    pub fn sealed_parts(&self) -> Vec<TargetFile> {
        match self {
            Self::File(path) => sealed_parts::of_file(path),
            Self::Folder(path) => sealed_parts::of_folder(path),
            Self::Stored(_) => Vec::new(),
        }
    }

    /// Lists the files that are sealed in the store.
    pub fn sealed_files(&self) -> Vec<SealedModelFile<'_>> {
        match self {
            Self::File(_) | Self::Folder(_) => Vec::new(),
            Self::Stored(stored) => stored.model.files.iter().filter_map(SealedModelFile::of).collect(),
        }
    }

    /// Whether somebody has to open something before it can be read.
    pub fn is_sealed(&self) -> bool {
        !(self.sealed_files().is_empty() && self.sealed_parts().is_empty())
    }

    /// Unlocks the sealed file that is called so; `None` where nothing sealed is.
    ///
    /// # Errors
    ///
    /// When it does not open, or the folder cannot be read.
    pub fn unlock(&self, opener: &Opener<'_>, name: &str) -> Result<Option<UnlockedFile>, UnlockError> {
        if let Self::Stored(stored) = self {
            let sealed = self.sealed_files().into_iter().find(|sealed| sealed.file.path.as_str() == name);
            return Ok(sealed.map(|sealed| stored.unlock(opener, sealed)).transpose()?);
        }
        let parts = self.files(&[])?.into_iter().filter_map(TargetFile::into_sealed_form);
        let part = parts.chain(self.sealed_parts()).find(|part| part.name == name);
        Ok(part.map(|part| opener.unlock_file(&part.path).map(|(unlocked, _)| unlocked)).transpose()?)
    }

    /// Where the weights lie, as something that an engine opens; `None` where they are sealed.
    pub fn model_path(&self) -> Option<PathBuf> {
        match self {
            Self::File(_) | Self::Folder(_) if self.is_sealed() => None,
            Self::File(path) | Self::Folder(path) => Some(path.clone()),
            Self::Stored(stored) => match stored.model.weights().first() {
                Some(file) if file.role == Role::Weights => match &file.bytes {
                    FileBytes::Plain(blob) => Some(blob.path.clone()),
                    FileBytes::Sealed { .. } => None,
                },
                _ => None,
            },
        }
    }

    /// The path to which endings of signatures are added. Models of the store keep theirs in the store.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Folder(path) => Some(path),
            Self::Stored(_) => None,
        }
    }
}

impl StoredTarget {
    /// Unlocks a sealed file of the model.
    ///
    /// # Errors
    ///
    /// When it does not open.
    pub fn unlock(
        &self,
        opener: &Opener<'_>,
        sealed: SealedModelFile<'_>,
    ) -> Result<UnlockedFile, SealedError> {
        let noted = self.noted_recipients(sealed.header);
        let blobs = SealedBlobs { header: sealed.header, payload: sealed.payload, noted: &noted };
        opener.unlock(&self.model.entry.name.short(), &blobs)
    }

    /// Who can open what has this header according to the manifest; empty where that says nothing.
    fn noted_recipients(&self, header: &Blob) -> Vec<X25519Recipient> {
        let is_its_header =
            |layer: &&Descriptor| layer.role() == Role::SealedHeader && layer.digest == header.digest;
        let layer = self.model.manifest.layers.iter().find(is_its_header);
        layer.and_then(recipients_of).unwrap_or_default()
    }
}

impl<'a> SealedModelFile<'a> {
    /// Takes a file of the store that is sealed.
    pub fn of(file: &'a ModelFile) -> Option<Self> {
        match &file.bytes {
            FileBytes::Sealed { header, payload } => Some(Self { file, header, payload }),
            FileBytes::Plain(_) => None,
        }
    }
}

impl TargetFile {
    /// Takes an age file for the sealed form of the file that it is named after.
    pub fn into_sealed_form(self) -> Option<Self> {
        if self.sealed {
            return Some(self);
        }
        let name = self.name.strip_suffix(SEALED)?.to_owned();
        sealed::lies_at(&self.path).then_some(Self { name, sealed: true, ..self })
    }
}

impl ModelFacts {
    /// What its files are, in claims and rules.
    pub fn format_name(&self) -> &'static str {
        self.format.map_or("other", FileFormat::name)
    }

    /// The template, for a policy: of what nobody could look at, and of what is no model, nothing is known.
    pub fn judged_template(facts: Option<&Self>) -> Template {
        match facts {
            Some(Self { format: None, .. }) | None => Template::Unknown,
            Some(Self { template: Some(root), .. }) => Template::Digest(*root),
            Some(Self { template: None, .. }) => Template::Nothing,
        }
    }
}

/// The last part of a path. The root of a file system has none.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
