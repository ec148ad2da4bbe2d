//! The files of one model, by the names that they have beside each other.

use std::fs;
use std::path::{Path, PathBuf};

use super::LoadError;
use super::file::{ModelFile, subject};

/// Where the files of one model are.
///
/// What reads a model asks for its files by name and never learns where they lie, so that a model on disk, one in a
/// store of blobs and one inside the program are read alike. Names are relative, with `/` between parts.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// One file; what lies beside it belongs to others, except the other parts of a split model.
    File,
    /// All files of a folder.
    Folder,
    /// Bytes that are part of the program.
    Memory(&'static [u8]),
}

impl Files {
    /// Takes a file, or all files of a folder.
    ///
    /// # Errors
    ///
    /// When there is nothing at the path.
    pub fn at(path: &Path) -> Result<Self, LoadError> {
        let kind = fs::metadata(path)
            .map_err(|error| LoadError::caused(subject(path), "cannot be opened", error))?;
        let place = if kind.is_dir() { Place::Folder } else { Place::File };
        Ok(Self { path: path.to_owned(), place })
    }

    /// Takes bytes for a file of this name.
    pub fn memory(name: &str, bytes: &'static [u8]) -> Self {
        Self { path: PathBuf::from(name), place: Place::Memory(bytes) }
    }

    /// What the model is called in messages: the path that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there may be files beside the weights.
    pub fn is_folder(&self) -> bool {
        matches!(self.place, Place::Folder)
    }

    /// The name of the only file, unless there may be several.
    pub(super) fn only(&self) -> Option<String> {
        let name = || self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        (!self.is_folder()).then(name)
    }

    /// Whether there is a file of this name beside the weights, and it counts.
    pub fn has_companion(&self, name: &str) -> bool {
        self.is_folder() && self.has(name)
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        !matches!(self.place, Place::Memory(_)) && self.path_of(name).is_file()
    }

    /// Lists the names of a folder's files, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, LoadError> {
        let fail = |error| LoadError::caused(subject(&self.path), "cannot be listed", error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Opens a file.
    pub(super) fn open(&self, name: &str) -> Result<ModelFile, LoadError> {
        match self.place {
            Place::Memory(bytes) => Ok(ModelFile::memory(name, bytes)),
            Place::File | Place::Folder => ModelFile::open(&self.path_of(name)),
        }
    }

    /// Reads a small file beside the weights.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        self.read_bounded(name, COMPANION_BYTES_MAX)
    }

    /// Reads a file that may have so many bytes.
    pub(super) fn read_bounded(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
        let file = self.open(name)?;
        if file.len() > bytes_max {
            let problem = format!("has {} bytes; at most {bytes_max} are read", file.len());
            return Err(LoadError::new(self.subject(name), problem));
        }
        file.read(0, file.len())
    }

    /// Names a file in messages.
    pub(crate) fn subject(&self, name: &str) -> String {
        subject(&self.path_of(name))
    }

    /// When the model was last changed, in seconds since 1970; 0 if that is not known.
    pub(crate) fn modified_s(&self) -> u64 {
        let modified = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        modified
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |since| since.as_secs())
    }

    fn path_of(&self, name: &str) -> PathBuf {
        match self.place {
            Place::Folder => self.path.join(name),
            Place::File => self.path.with_file_name(name),
            Place::Memory(_) => self.path.clone(),
        }
    }
}

/// Bounds tokenizer and template files.
const COMPANION_BYTES_MAX: u64 = 256 << 20;
