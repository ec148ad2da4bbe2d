//! One file of a model, read at positions through the pass that checks it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stack_seal::verified::{Breach, Expected, Pass};

use super::{LoadError, LoadErrorKind};

/// A file that had its length when the model was opened. Several threads may read at once, and nothing is mapped.
#[derive(Clone, Debug)]
pub(super) struct ModelFile {
    path: PathBuf,
    pass: Arc<Pass>,
}

impl ModelFile {
    /// Takes a file that is being checked; `path` names it in messages.
    pub(super) fn new(path: &Path, pass: Arc<Pass>) -> Result<Self, LoadError> {
        if pass.is_empty() {
            return Err(LoadError::new(subject(path), "is empty").of_kind(LoadErrorKind::Empty));
        }
        Ok(Self { path: path.to_owned(), pass })
    }

    /// Returns the path that was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the length that the file had when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.pass.len()
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), LoadError> {
        self.pass.read_exact_at(buffer, offset).map_err(|breach| differs(&self.path, breach))
    }

    /// Checks that `len` bytes from `offset` on lie inside the file as it was opened.
    pub(super) fn check(&self, offset: u64, len: u64) -> Result<(), LoadError> {
        if offset.checked_add(len).is_some_and(|end| end <= self.len()) {
            return Ok(());
        }
        let problem = format!("{len} bytes at {offset} lie outside its {} bytes", self.len());
        Err(LoadError::new(subject(&self.path), problem))
    }

    /// Returns `len` bytes from `offset` on; they must lie inside the file as it was opened.
    pub(super) fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>, LoadError> {
        self.check(offset, len)?;
        let size = usize::try_from(len)
            .map_err(|error| LoadError::caused(subject(&self.path), "is too long for this machine", error))?;
        let mut buffer = vec![0; size];
        self.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }

    /// Reads from the start, in order.
    pub(super) fn reader(&self) -> impl Read + '_ {
        io::BufReader::with_capacity(READ_AHEAD, Sequential { pass: &self.pass, position: 0 })
    }
}

/// Opens a file of which nobody has said what it should be.
pub(super) fn first_seen(path: &Path) -> Result<Pass, LoadError> {
    let fail = |error: io::Error| cannot_open(path, error);
    // Before opening: to open a pipe would wait for its writer.
    let kind = fs::metadata(path).map_err(fail)?;
    if kind.is_dir() {
        return Err(
            LoadError::new(subject(path), "is a folder, not a model file").of_kind(LoadErrorKind::NoModel)
        );
    }
    if !kind.is_file() {
        return Err(LoadError::new(subject(path), "is not a regular file"));
    }
    let file = File::open(path).map_err(fail)?;
    Pass::open(file, Expected::first_seen(), None).map_err(|breach| differs(path, breach))
}

/// Says that there is no file, or that it cannot be opened.
pub(super) fn cannot_open(path: &Path, error: io::Error) -> LoadError {
    let is_missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    let kind = if is_missing { LoadErrorKind::NotFound } else { LoadErrorKind::default() };
    LoadError::caused(subject(path), "cannot be opened", error).of_kind(kind)
}

/// Says of a file what its pass found.
pub(super) fn differs(path: &Path, breach: Breach) -> LoadError {
    LoadError::caused(subject(path), "is not what it should be", breach)
}

/// Names a path in messages.
pub(super) fn subject(path: &Path) -> String {
    path.display().to_string()
}

struct Sequential<'a> {
    pass: &'a Pass,
    position: u64,
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.pass.len() - self.position;
        let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.pass.read_exact_at(&mut buffer[..size], self.position).map_err(io::Error::other)?;
        self.position += size as u64;
        Ok(size)
    }
}

const READ_AHEAD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<ModelFile, LoadError> {
        ModelFile::new(path, Arc::new(first_seen(path)?))
    }

    #[test]
    fn directories_and_empty_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).unwrap_err().problem.contains("is a folder"));
        let empty = dir.path().join("empty.gguf");
        fs::write(&empty, b"").unwrap();
        assert!(open(&empty).unwrap_err().problem.contains("is empty"));
        let error = open(&dir.path().join("none")).unwrap_err();
        assert!(error.subject.ends_with("none") && error.source.is_some());
    }

    #[test]
    fn bytes_pass_for_a_file() {
        let pass = Arc::new(Pass::compiled_in(b"abcdef"));
        let file = ModelFile::new(Path::new("built-in"), pass).unwrap();
        assert_eq!(file.read(4, 2).unwrap(), b"ef");
        assert!(file.read(5, 2).unwrap_err().to_string().starts_with("built-in: 2 bytes at 5 lie outside"));
        let mut rest = String::new();
        file.reader().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "abcdef");
        assert!(file.read_exact_at(&mut [0; 1], u64::MAX).is_err());
    }

    #[test]
    fn a_file_that_was_cut_since_it_was_opened_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        fs::write(&path, [7; 100]).unwrap();
        let file = open(&path).unwrap();
        assert!(file.read(90, 11).unwrap_err().problem.contains("outside its 100 bytes"));
        assert!(file.read(u64::MAX, 2).is_err());
        fs::write(&path, [7; 95]).unwrap();
        assert!(file.read(90, 10).is_err());
    }
}
