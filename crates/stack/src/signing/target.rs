//! The thing itself, and its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stack_registry::manifest::{Descriptor, Role};
use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::sealing::recipients_of;
use stack_registry::store::StoreError;
use stack_seal::age::{UnlockedFile, X25519Recipient};

use super::{folder, parts};
use crate::cli::access::KeyArguments;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::models::choice::ModelArgument;
use crate::models::path::ModelPath;

/// A model that somebody vouches for.
pub(crate) enum Target {
    /// One file.
    File(PathBuf),
    /// A folder, with all that is in it.
    Folder(PathBuf),
    /// A model of the store.
    Stored(Box<StoredModel>),
}

/// One file of it.
#[derive(Clone, Debug)]
pub(crate) struct TargetFile {
    /// Its name in statements: a path below the folder.
    pub(crate) name: String,
    /// Where it lies; of a sealed file of the store, where its payload lies, and else where the age file lies.
    pub(crate) path: PathBuf,
    /// Whether what lies there is encrypted.
    pub(crate) sealed: bool,
}

impl Target {
    /// Finds what a command line means: what `stack run` would load.
    ///
    /// # Errors
    ///
    /// When there is no such file, folder or model of the store.
    pub(crate) fn find(home: &Home, argument: &ModelArgument) -> Result<Self, CommandError> {
        match argument.find(home)? {
            ModelPath::BuiltIn => {
                let message = "the default model is part of the program, and has no files of its own";
                Err(CommandError::new(Kind::Usage, message)
                    .hint("give a file, a folder, or a name from `stack list`"))
            }
            ModelPath::Stored(name) => {
                let store = home.existing_store()?.ok_or_else(|| StoreError::missing(name.short()))?;
                Ok(Self::Stored(Box::new(StoredModel::open(&store, &name)?)))
            }
            ModelPath::Path(path) => Self::at(path),
        }
    }

    /// Finds what lies at a path.
    fn at(path: PathBuf) -> Result<Self, CommandError> {
        let text = path.display();
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                // `.` and `models/..` get names, and signatures a place beside them.
                let whole = path.canonicalize().map_err(|error| CommandError::reading(&text, error))?;
                Ok(Self::Folder(whole))
            }
            Ok(found) if found.is_file() => Ok(Self::File(path)),
            Ok(_) => {
                let message = format!("{text} is neither a file nor a folder");
                Err(CommandError::new(Kind::Malformed, message))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(CommandError::new(Kind::Missing, format!("{text} does not exist"))
                    .reason("no-such-file")
                    .hint("give a file, a folder, or a name from `stack list`"))
            }
            Err(error) => Err(CommandError::reading(&text, error)),
        }
    }

    /// What people call it: the name of the file or folder, or of the model.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::File(path) | Self::Folder(path) => file_name(path),
            Self::Stored(model) => model.entry.name.short(),
        }
    }

    /// The name that it is signed for, unless another is given: of a file, its stem.
    pub(crate) fn claim_name(&self) -> String {
        match self {
            Self::File(path) => {
                let name = file_name(&parts::plain_form(path)).to_lowercase();
                name.strip_suffix(".gguf").unwrap_or(&name).replace(char::is_whitespace, "-")
            }
            Self::Folder(path) => file_name(path).to_lowercase().replace(char::is_whitespace, "-"),
            Self::Stored(model) => model.entry.name.to_string(),
        }
    }

    /// The name that rules see: of paths, a URL.
    pub(crate) fn policy_name(&self) -> String {
        match self {
            Self::File(path) | Self::Folder(path) => {
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                format!("file://{}", whole.display())
            }
            Self::Stored(model) => model.entry.name.to_string(),
        }
    }

    /// Lists its files, sorted by name; of a folder, all but the ignored ones.
    pub(crate) fn files(&self, ignored: &[String]) -> Result<Vec<TargetFile>, CommandError> {
        match self {
            Self::File(path) => Ok(vec![TargetFile {
                name: file_name(&parts::plain_form(path)),
                path: path.clone(),
                sealed: parts::is_sealed(path),
            }]),
            Self::Folder(path) => folder::list(path, ignored),
            Self::Stored(model) => {
                let file = |file: &ModelFile| {
                    let (blob, sealed) = match &file.bytes {
                        FileBytes::Plain(blob) => (blob, false),
                        FileBytes::Sealed { payload, .. } => (payload, true),
                    };
                    TargetFile { name: file.path.as_str().to_owned(), path: blob.path.clone(), sealed }
                };
                let mut files: Vec<_> = model.files.iter().map(file).collect();
                files.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(files)
            }
        }
    }

    /// Lists the parts of a model at a path that are sealed, by the names of their plain forms. What lies there in clear as
    /// well is not among them.
    pub(crate) fn sealed_parts(&self) -> Vec<TargetFile> {
        match self {
            Self::File(path) => parts::of_file(path),
            Self::Folder(path) => parts::of_folder(path),
            Self::Stored(_) => Vec::new(),
        }
    }

    /// Whether somebody has to open something before it can be read.
    pub(crate) fn is_sealed(&self) -> bool {
        !(self.sealed_files().is_empty() && self.sealed_parts().is_empty())
    }

    /// Unlocks the sealed file that is called so, of this model.
    pub(crate) fn unlock(
        &self,
        home: &Home,
        keys: &KeyArguments,
        file: &str,
    ) -> Result<UnlockedFile, CommandError> {
        if let Some(stored) = self.sealed_files().into_iter().find(|stored| stored.path.as_str() == file) {
            return keys.unlock(home, &self.title(), &stored.bytes, &self.noted_recipients(stored));
        }
        let part = self.files(&[])?.into_iter().filter_map(TargetFile::into_sealed_form);
        let part = part.chain(self.sealed_parts()).find(|part| part.name == file);
        let part = part.expect("only sealed files are asked for");
        keys.unlock_file(home, &part.path).map(|(unlocked, _)| unlocked)
    }

    /// Who can open a sealed file of the store according to its manifest; empty where that says nothing.
    pub(crate) fn noted_recipients(&self, file: &ModelFile) -> Vec<X25519Recipient> {
        let (Self::Stored(model), FileBytes::Sealed { header, .. }) = (self, &file.bytes) else {
            return Vec::new();
        };
        let is_its_header =
            |layer: &&Descriptor| layer.role() == Role::SealedHeader && layer.digest == header.digest;
        model.manifest.layers.iter().find(is_its_header).and_then(recipients_of).unwrap_or_default()
    }

    /// Lists the files that are sealed in the store.
    pub(crate) fn sealed_files(&self) -> Vec<&ModelFile> {
        let Self::Stored(model) = self else { return Vec::new() };
        model.files.iter().filter(|file| matches!(file.bytes, FileBytes::Sealed { .. })).collect()
    }

    /// Where the weights lie, as something that the engine opens; `None` where they are sealed.
    pub(crate) fn model_path(&self) -> Option<PathBuf> {
        match self {
            Self::File(_) | Self::Folder(_) if self.is_sealed() => None,
            Self::File(path) | Self::Folder(path) => Some(path.clone()),
            Self::Stored(model) => match model.weights().first() {
                Some(file) if file.role == Role::Weights => match &file.bytes {
                    FileBytes::Plain(blob) => Some(blob.path.clone()),
                    FileBytes::Sealed { .. } => None,
                },
                _ => None,
            },
        }
    }

    /// The path to which endings of signatures are added. Models of the store keep theirs in the store.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Folder(path) => Some(path),
            Self::Stored(_) => None,
        }
    }
}

impl TargetFile {
    /// Takes an age file for the sealed form of the file that it is named after.
    pub(crate) fn into_sealed_form(self) -> Option<Self> {
        if self.sealed {
            return Some(self);
        }
        let name = self.name.strip_suffix(crate::sealing::sealed::ENDING)?.to_owned();
        parts::is_sealed(&self.path).then_some(Self { name, sealed: true, ..self })
    }
}

/// The last part of a path. The root of a file system has none.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
