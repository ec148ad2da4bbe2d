//! Files that were adopted where they lie.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use stack_seal::digest::Digest;

use super::error::StoreError;
use super::place::StoreFile;
use super::{Blob, Store};
use crate::manifest::BadDocument;

/// A file of another program that serves as a blob. Whoever loads it hashes it, as always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// Where it lies, from the root, with all links followed.
    pub path: PathBuf,
    /// Bytes that it had when it was hashed.
    pub size: u64,
    /// Whose it is.
    pub kind: ExternalKind,
}

/// Whose cache an adopted file lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalKind {
    /// Hugging Face's.
    Hub,
    /// Ollama's.
    Ollama,
    /// LM Studio's.
    LmStudio,
    /// Nobody's: a file.
    File,
}

impl External {
    /// Writes the note.
    ///
    /// # Errors
    ///
    /// When the path is not UTF-8, which JSON must be.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

impl Store {
    /// Reads where an adopted blob lies; `None` for what was not adopted.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or the record is malformed.
    pub fn external(&self, digest: &Digest) -> Result<Option<External>, StoreError> {
        let attempt = || StoreError::io(format!("reading where {digest} lies"));
        let file = match self.folders.read(&StoreFile::External(*digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(attempt()(error)),
        };
        let mut bytes = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes).map_err(attempt())?;
        let malformed = |fault| {
            StoreError::malformed(format!("the note where {digest} lies"), BadDocument::new("note", fault))
        };
        let external: External =
            serde_json::from_slice(&bytes).map_err(|error| malformed(format!("is no such note: {error}")))?;
        if !external.path.is_absolute() {
            return Err(malformed("has a path that is not absolute".to_owned()));
        }
        Ok(Some(external))
    }

    /// Opens an adopted file that is still of its size.
    pub(super) fn adopted_blob(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let External { path, size, .. } =
            self.external(digest)?.ok_or_else(|| StoreError::missing(digest))?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let attempt = || StoreError::io(format!("opening the adopted file {}", path.display()));
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Vanished { path });
            }
            Err(error) => return Err(attempt()(error)),
        };
        let metadata = file.metadata().map_err(attempt())?;
        if !metadata.is_file() {
            return Err(StoreError::Vanished { path });
        }
        if metadata.len() != size {
            return Err(StoreError::Changed { path, expected: size, found: metadata.len() });
        }
        Ok(Blob { digest: *digest, file, length: size, path, own: false })
    }
}

const RECORD_BYTES_MAX: u64 = 64 << 10;
