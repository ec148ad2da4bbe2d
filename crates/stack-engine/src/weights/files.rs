//! The files of one model, by the names that they have beside each other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stack_seal::verified::{Breach, Pass, Verified};

use super::file::{self, ModelFile, subject};
use super::{Foreign, LoadError};

/// Where the files of one model are, and which of them were read.
///
/// What reads a model asks for its files by name and never learns where they lie, so that a model on disk, one in a
/// store of blobs and one inside the program are read alike. Names are relative, with `/` between parts.
///
/// Each file is read through a [`Pass`]; [`Files::verify`] ends them all, and until then nothing made of these files
/// may answer.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    location: Location,
    /// Files that lie in another form than the one they are read in, such as sealed ones.
    opened: Openers,
    passes: Mutex<BTreeMap<String, Arc<Pass>>>,
}

/// Opens one file of a model, with what it is expected to be.
pub type Opener = Box<dyn Fn() -> Result<Pass, Breach> + Send + Sync>;

#[derive(Default)]
struct Openers(BTreeMap<String, Opener>);

enum Location {
    /// One file; what lies beside it belongs to others, except the other parts of a split model.
    File,
    /// All files of a folder.
    Folder,
    /// Files that are listed, wherever they lie; there are no others.
    Listed(BTreeMap<String, Opener>),
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
        let kind = fs::metadata(path).map_err(|error| file::cannot_open(path, error))?;
        let location = if kind.is_dir() { Location::Folder } else { Location::File };
        Ok(Self::new(path.to_owned(), location))
    }

    /// Takes a file, or all files of a folder, of which some are opened in another way, such as those that are sealed.
    ///
    /// `path` is where the model would lie in the form that is read; of a file, nothing need be there.
    pub fn opened(path: &Path, opened: BTreeMap<String, Opener>) -> Self {
        let location = if path.is_dir() { Location::Folder } else { Location::File };
        Self { opened: Openers(opened), ..Self::new(path.to_owned(), location) }
    }

    /// Takes bytes for a file of this name.
    pub fn memory(name: &str, bytes: &'static [u8]) -> Self {
        Self::new(PathBuf::from(name), Location::Memory(bytes))
    }

    /// Takes the files that a model is listed to have, by their relative names; `name` is the model's own.
    pub fn listed(name: &str, files: BTreeMap<String, Opener>) -> Self {
        Self::new(PathBuf::from(name), Location::Listed(files))
    }

    fn new(path: PathBuf, location: Location) -> Self {
        Self { path, location, opened: Openers::default(), passes: Mutex::default() }
    }

    /// What the model is called in messages: the path that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there may be files beside the weights.
    pub fn is_folder(&self) -> bool {
        matches!(self.location, Location::Folder | Location::Listed(_))
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
        match &self.location {
            _ if self.opened.0.contains_key(name) => true,
            Location::File | Location::Folder => self.path_of(name).is_file(),
            Location::Listed(files) => files.contains_key(name),
            Location::Memory(_) => false,
        }
    }

    /// Lists the names of a folder's files, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, LoadError> {
        if let Location::Listed(files) = &self.location {
            return Ok(files.keys().cloned().collect());
        }
        let fail = |error| LoadError::caused(subject(&self.path), "cannot be listed", error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        names.extend(self.opened.0.keys().cloned());
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Opens a file.
    pub(super) fn open(&self, name: &str) -> Result<ModelFile, LoadError> {
        let path = self.path_of(name);
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pass) = passes.get(name) {
            return ModelFile::new(&path, Arc::clone(pass));
        }
        let pass = Arc::new(match (&self.location, self.opened.0.get(name)) {
            (_, Some(open)) => open().map_err(|breach| file::differs(&path, breach))?,
            (Location::File | Location::Folder, None) => file::first_seen(&path)?,
            (Location::Listed(files), None) => {
                let open = files
                    .get(name)
                    .ok_or_else(|| LoadError::new(subject(&path), "is not part of the model"))?;
                open().map_err(|breach| file::differs(&path, breach))?
            }
            (Location::Memory(bytes), None) => Pass::compiled_in(bytes),
        });
        passes.insert(name.to_owned(), Arc::clone(&pass));
        ModelFile::new(&path, pass)
    }

    /// Reads what is left of every file that was opened, on up to `workers` threads, and checks that each is what it
    /// should be. `value` is what was made of them.
    ///
    /// # Errors
    ///
    /// Names the first file that is another one, and where it differs; `value` is dropped.
    ///
    /// # Panics
    ///
    /// When a [`super::WeightSource`] still reads the files, or none was read.
    pub fn verify<T>(self, value: T, workers: usize) -> Result<Verified<T>, LoadError> {
        let mut verified: Option<Verified<()>> = None;
        for (name, pass) in self.passes.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let pass =
                Arc::into_inner(pass).expect("whoever reads the files is gone before they are verified");
            let file =
                pass.finish((), workers).map_err(|breach| file::differs(&self.path.join(name), breach))?;
            verified = Some(match verified {
                None => file,
                Some(others) => others.zip(file).map(|((), ())| ()),
            });
        }
        Ok(verified.expect("a model is made of at least one file").map(|()| value))
    }

    /// Reads a small file beside the weights.
    ///
    /// # Errors
    ///
    /// When it is not there, too long, or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        self.read_bounded(name, COMPANION_BYTES_MAX)
    }

    /// Reads a file that may have so many bytes.
    pub(super) fn read_bounded(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
        let file = self.open(name)?;
        if file.len() > bytes_max {
            let problem = format!("has {} bytes; at most {bytes_max} are read", file.len());
            return Err(LoadError::new(self.subject(name), problem));
        }
        let bytes = file.read(0, file.len())?;
        // Whatever is to be read, a pointer to it is not.
        match Foreign::file(name, &bytes[..bytes.len().min(64)]) {
            Some(Foreign::LfsPointer) => Err(LoadError::foreign(self.subject(name), Foreign::LfsPointer)),
            _ => Ok(bytes),
        }
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
        match &self.location {
            Location::Folder | Location::Listed(_) => self.path.join(name),
            // A name that is not UTF-8 has no text that leads back to it.
            Location::File if self.only().as_deref() == Some(name) => self.path.clone(),
            Location::File => self.path.with_file_name(name),
            Location::Memory(_) => self.path.clone(),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("File"),
            Self::Folder => f.write_str("Folder"),
            Self::Listed(files) => f.debug_set().entries(files.keys()).finish(),
            Self::Memory(bytes) => write!(f, "Memory({} bytes)", bytes.len()),
        }
    }
}

impl fmt::Debug for Openers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Bounds tokenizer and template files.
const COMPANION_BYTES_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &'static [u8]) -> Opener {
        Box::new(move || Ok(Pass::compiled_in(bytes)))
    }

    #[test]
    fn what_is_opened_in_another_way_counts_as_if_it_lay_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), b"{}").unwrap();
        let opened = || BTreeMap::from([("m.safetensors".to_owned(), holding(b"weights"))]);
        let files = Files::opened(dir.path(), opened());
        assert_eq!(files.names().unwrap(), ["config.json", "m.safetensors"]);
        assert!(files.has("m.safetensors") && files.has("config.json") && !files.has("other"));
        assert_eq!(files.read("m.safetensors").unwrap(), b"weights");
        assert_eq!(files.read("config.json").unwrap(), b"{}");
        let alone = Files::opened(&dir.path().join("m.safetensors"), opened());
        assert_eq!(alone.only().as_deref(), Some("m.safetensors"));
        assert_eq!(alone.read("m.safetensors").unwrap(), b"weights");
    }
}
