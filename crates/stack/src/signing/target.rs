//! The thing itself, and its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stack_registry::manifest::Role;
use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::name::Name;
use stack_registry::store::Store;

use super::folder;
use crate::command_error::{CommandError, Kind};
use crate::home::Home;

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
    /// Where it lies; of a sealed file of the store, where its payload lies.
    pub(crate) path: PathBuf,
    /// Whether what lies there is encrypted.
    pub(crate) sealed: bool,
}

impl Target {
    /// Finds what a command line means: a path if something is there, else a name of the store.
    pub(crate) fn find(home: &Home, text: &str) -> Result<Self, CommandError> {
        let path = Path::new(text);
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                // `.` and `models/..` get names, and signatures a place beside them.
                let whole = path.canonicalize().map_err(|error| CommandError::reading(text, error))?;
                return Ok(Self::Folder(whole));
            }
            Ok(found) if found.is_file() => return Ok(Self::File(path.to_owned())),
            Ok(_) => {
                let message = format!("{text} is neither a file nor a folder");
                return Err(CommandError::new(Kind::Malformed, message));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(CommandError::reading(text, error)),
        }
        let missing = |code: &'static str| {
            CommandError::new(Kind::Missing, format!("{text} is not there"))
                .reason(code)
                .hint("give a file, a folder, or a name that `stack list` shows")
        };
        let Ok(name) = Name::parse(text) else { return Err(missing("no-such-file")) };
        let store = Store::existing(home.root())?.ok_or_else(|| missing("no-such-file"))?;
        if store.index()?.find(&name).is_none() {
            return Err(missing("not-in-store"));
        }
        Ok(Self::Stored(Box::new(StoredModel::open(&store, &name)?)))
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
                let name = file_name(path).to_lowercase();
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
            Self::File(path) => {
                Ok(vec![TargetFile { name: file_name(path), path: path.clone(), sealed: false }])
            }
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

    /// Lists the files that are sealed in the store.
    pub(crate) fn sealed_files(&self) -> Vec<&ModelFile> {
        let Self::Stored(model) = self else { return Vec::new() };
        model.files.iter().filter(|file| matches!(file.bytes, FileBytes::Sealed { .. })).collect()
    }

    /// Where the weights lie, as something that the engine opens.
    pub(crate) fn model_path(&self) -> Option<PathBuf> {
        match self {
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

/// The last part of a path. The root of a file system has none.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
