//! The folder with the operator's adapters.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use stack_gateway::AdapterFiles;
use stack_trust::home::Home;
use stack_trust::private_file::{self, FileMode};

use crate::error::{CommandError, Kind};

/// The folder with the operator's adapters.
#[derive(Clone, Debug)]
pub(crate) struct AdapterFolder {
    folder: PathBuf,
}

/// What tells one state of the folder from another: the names of its files, their lengths and when they were changed.
pub(crate) type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl AdapterFolder {
    /// The folder of a home, which need not be there.
    pub(crate) fn of(home: &Home) -> Option<Self> {
        home.adapters().ok().map(|folder| Self { folder })
    }

    /// The folder that a file lies in.
    pub(crate) fn around(file: &Path) -> Self {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned() }
    }

    /// Its path, for people.
    pub(crate) fn shown(&self) -> String {
        self.folder.display().to_string()
    }

    /// Reads all of it. What is not there is empty; what is there and cannot be read is an error.
    pub(crate) fn read(&self) -> Result<AdapterFiles, CommandError> {
        Ok(AdapterFiles { specs: self.specs()?, recordings: self.recordings()? })
    }

    /// Reads the recordings.
    pub(crate) fn recordings(&self) -> Result<BTreeMap<String, Vec<u8>>, CommandError> {
        let files = read_files(&self.folder.join(RECORDINGS), RECORDINGS_MAX, RECORDING_BYTES_MAX)?;
        Ok(files.into_iter().map(|(name, text)| (name.trim_end_matches(".json").to_owned(), text)).collect())
    }

    fn specs(&self) -> Result<BTreeMap<String, Vec<u8>>, CommandError> {
        read_files(&self.folder, SPECS_MAX, SPEC_BYTES_MAX)
    }

    /// Says in which state it is.
    pub(crate) fn stamp(&self) -> Stamp {
        let folders = [self.folder.clone(), self.folder.join(RECORDINGS)];
        let files = folders.iter().flat_map(|folder| json_files(folder).unwrap_or_default());
        let stamped = files.map(|path| {
            let about = fs::metadata(&path).ok();
            let length = about.as_ref().map_or(0, fs::Metadata::len);
            (path, length, about.and_then(|about| about.modified().ok()))
        });
        stamped.collect()
    }

    /// Keeps a good set for a start at which the folder is bad.
    pub(crate) fn keep(&self, files: &AdapterFiles) -> Result<(), CommandError> {
        if files.specs.is_empty() && !self.folder.exists() {
            return Ok(());
        }
        let texts = |files: &BTreeMap<String, Vec<u8>>| -> Value {
            files
                .iter()
                .map(|(name, text)| (name.clone(), String::from_utf8_lossy(text).into_owned()))
                .collect()
        };
        let kept = json!({"specs": texts(&files.specs), "recordings": texts(&files.recordings)}).to_string();
        let path = self.folder.join(LAST_KNOWN_GOOD);
        private_file::replace(&path, kept.as_bytes(), FileMode::Private)
            .map_err(|error| CommandError::writing_file(path.display(), error))
    }

    /// Returns the last good set, if one was kept.
    pub(crate) fn last_known_good(&self) -> Option<AdapterFiles> {
        let bytes = read_file(&self.folder.join(LAST_KNOWN_GOOD), KEPT_BYTES_MAX).ok()?;
        let kept: Value = serde_json::from_slice(&bytes).ok()?;
        let texts = |key: &str| -> Option<BTreeMap<String, Vec<u8>>> {
            let files = kept.get(key)?.as_object()?.iter();
            files.map(|(name, text)| Some((name.clone(), text.as_str()?.as_bytes().to_vec()))).collect()
        };
        Some(AdapterFiles { specs: texts("specs")?, recordings: texts("recordings")? })
    }
}

/// Reads the JSON files of a folder.
fn read_files(
    folder: &Path,
    count_max: usize,
    bytes_max: u64,
) -> Result<BTreeMap<String, Vec<u8>>, CommandError> {
    let failed = |error| CommandError::reading(folder.display(), error);
    let paths = json_files(folder).map_err(failed)?;
    if paths.len() > count_max {
        let message = format!("{} holds more than {count_max} JSON files", folder.display());
        return Err(CommandError::new(Kind::Limit, message));
    }
    let mut files = BTreeMap::new();
    for path in paths {
        let text =
            read_file(&path, bytes_max).map_err(|error| CommandError::reading(path.display(), error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, text);
    }
    Ok(files)
}

/// Lists the JSON files of a folder, but for hidden ones. A folder that is not there has none.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a file, and one byte more than it may have: whoever judges it says that it is too large.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const RECORDINGS: &str = "recordings";
/// Hidden, so that it is no spec.
const LAST_KNOWN_GOOD: &str = ".last-known-good.json";
const SPECS_MAX: usize = 64;
const RECORDINGS_MAX: usize = 512;
pub(crate) const SPEC_BYTES_MAX: u64 = 64 << 10;
const RECORDING_BYTES_MAX: u64 = 256 << 10;
/// As much as a folder may hold, twice: JSON in JSON is escaped.
const KEPT_BYTES_MAX: u64 = 2 * (64 * SPEC_BYTES_MAX + 512 * RECORDING_BYTES_MAX);
