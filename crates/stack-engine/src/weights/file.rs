//! A model's file, read at positions: several threads may read at once, and nothing is mapped. Bytes that are part of
//! the program pass for a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::LoadError;

/// A regular file that was open, and had its length, when the model was opened; or bytes with a name.
#[derive(Debug)]
pub(super) struct ModelFile {
    path: PathBuf,
    content: Content,
    len: u64,
}

#[derive(Debug)]
enum Content {
    File(Handle),
    Memory(&'static [u8]),
}

impl ModelFile {
    /// Opens a file that is regular and not empty.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let fail = |error: io::Error| LoadError::caused(subject(path), "cannot be opened", error);
        // Before opening: to open a pipe would wait for its writer.
        let kind = fs::metadata(path).map_err(fail)?;
        if kind.is_dir() {
            return Err(LoadError::new(subject(path), "is a directory, not a model file"));
        }
        if !kind.is_file() {
            return Err(LoadError::new(subject(path), "is not a regular file"));
        }
        let file = File::open(path).map_err(fail)?;
        let len = file.metadata().map_err(fail)?.len();
        if len == 0 {
            return Err(LoadError::new(subject(path), "is empty"));
        }
        Ok(Self { path: path.to_owned(), content: Content::File(Handle::new(file)), len })
    }

    /// Takes bytes for a file of this name.
    pub(super) fn memory(name: &str, bytes: &'static [u8]) -> Self {
        Self { path: PathBuf::from(name), content: Content::Memory(bytes), len: bytes.len() as u64 }
    }

    /// Returns the path that was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the length that the file had when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), LoadError> {
        self.content.read_exact_at(buffer, offset).map_err(|error| {
            let last = offset.saturating_add(buffer.len() as u64);
            let problem = if error.kind() == io::ErrorKind::UnexpectedEof {
                format!(
                    "ends before byte {last}: it had {} bytes when it was opened and was cut since",
                    self.len
                )
            } else {
                format!("cannot be read at bytes {offset}..{last}")
            };
            LoadError::caused(subject(&self.path), problem, error)
        })
    }

    /// Checks that `len` bytes from `offset` on lie inside the file as it was opened.
    pub(super) fn check(&self, offset: u64, len: u64) -> Result<(), LoadError> {
        if offset.checked_add(len).is_some_and(|end| end <= self.len) {
            return Ok(());
        }
        let problem = format!("{len} bytes at {offset} lie outside its {} bytes", self.len);
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
        io::BufReader::with_capacity(READ_AHEAD, Sequential { file: self, position: 0 })
    }
}

impl Content {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(handle) => handle.read_exact_at(buffer, offset),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read_exact(buffer)
            }
        }
    }
}

/// Names a path in messages.
pub(super) fn subject(path: &Path) -> String {
    path.display().to_string()
}

struct Sequential<'a> {
    file: &'a ModelFile,
    position: u64,
}

impl Read for Sequential<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.len - self.position;
        let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.content.read_exact_at(&mut buffer[..size], self.position)?;
        self.position += size as u64;
        Ok(size)
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Handle(File);

#[cfg(unix)]
impl Handle {
    fn new(file: File) -> Self {
        Self(file)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }
}

/// Elsewhere a file has one position, which readers take turns to move.
#[cfg(not(unix))]
#[derive(Debug)]
struct Handle(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Handle {
    fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Seek, SeekFrom};

        // A reader that panicked left nothing behind but a position, and each reader sets its own.
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

const READ_AHEAD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_empty_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        assert!(ModelFile::open(dir.path()).unwrap_err().problem.contains("is a directory"));
        let empty = dir.path().join("empty.gguf");
        fs::write(&empty, b"").unwrap();
        assert!(ModelFile::open(&empty).unwrap_err().problem.contains("is empty"));
        let error = ModelFile::open(&dir.path().join("none")).unwrap_err();
        assert!(error.subject.ends_with("none") && error.source.is_some());
    }

    #[test]
    fn bytes_pass_for_a_file() {
        let file = ModelFile::memory("built-in", b"abcdef");
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
        let file = ModelFile::open(&path).unwrap();
        assert_eq!(file.read(90, 10).unwrap(), [7; 10]);
        assert!(file.read(90, 11).unwrap_err().problem.contains("outside its 100 bytes"));
        assert!(file.read(u64::MAX, 2).is_err());
        fs::write(&path, [7; 95]).unwrap();
        assert!(file.read(90, 10).unwrap_err().problem.contains("was cut since"));
    }
}
