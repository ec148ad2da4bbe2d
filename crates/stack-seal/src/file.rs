//! A file read and written at positions, by several threads at once. Nothing is ever mapped: a mapping can change
//! after it was checked.

use std::fs::File;
use std::io;
use std::time::SystemTime;

/// A regular file and what the system said of it when it was taken.
#[derive(Debug)]
pub(crate) struct PositionedFile {
    handle: Handle,
    len: u64,
    modified: Option<SystemTime>,
}

impl PositionedFile {
    /// Takes a file that is open for reading, writing, or both.
    ///
    /// # Errors
    ///
    /// When it is not a regular file, or the system does not say.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Self { handle: Handle::new(file), len, modified })
    }

    /// Takes a file to write into, which must hold nothing yet: its old bytes could otherwise follow the new ones.
    pub(crate) fn empty(file: File) -> io::Result<Self> {
        let file = Self::new(file)?;
        if file.len == 0 {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the target is not empty"))
        }
    }

    /// Returns the length that the file had when it was taken.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Tells whether length and time of modification are still the same.
    pub(crate) fn unchanged(&self) -> io::Result<bool> {
        let metadata = self.handle.metadata()?;
        Ok(metadata.len() == self.len && metadata.modified().ok() == self.modified)
    }

    /// Fills `buffer` with the bytes from `offset` on, each of them read once.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.handle.read_exact_at(buffer, offset)
    }

    /// Writes all of `bytes` from `offset` on.
    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.handle.write_all_at(bytes, offset)
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

    fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.0.metadata()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }
}

/// Elsewhere a file has one position, which threads take turns to move.
#[cfg(not(unix))]
#[derive(Debug)]
struct Handle(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Handle {
    fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    /// A thread that panicked left nothing behind but a position, and each of them sets its own.
    fn lock(&self) -> std::sync::MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.lock().metadata()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};

        let mut file = self.lock();
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};

        let mut file = self.lock();
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }
}
