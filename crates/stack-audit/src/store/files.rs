//! Payloads that are too large for rows of the database.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use stack_seal::hex;

use super::StoreError;
use crate::entry::{Commitment, PAYLOAD_MAX};
use crate::hash::Hash;

/// The folder of large payloads, each named by its commitment.
#[derive(Clone, Debug)]
pub(crate) struct PayloadFiles(PathBuf);

impl PayloadFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Returns whether a payload of this length is a file.
    pub(crate) fn hold(commitment: &Commitment) -> bool {
        commitment.length > ROW_MAX
    }

    /// Writes a payload, so that it is there for good when this returns.
    pub(super) fn write(&self, commitment: &Hash, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(commitment);
        let written = self.make().and_then(|()| {
            // A commitment is salted: a file of this name can only be left over from an entry that was never committed.
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            File::open(&self.0)?.sync_all()
        });
        written.map_err(|source| {
            // On a full disk, what was written of it should not stay.
            let _partly_written = fs::remove_file(&path);
            StoreError::Io { path, source }
        })
    }

    /// Makes the folder where there is none. A loss of power must not take it, and every payload in it: its name is flushed
    /// each time, because whoever made it may have been killed before that, and a name that is there already costs nothing.
    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let log = self.0.parent().expect("it is a folder of the log's");
        File::open(log)?.sync_all()
    }

    /// Reads a payload; `None` where it is gone.
    pub(crate) fn read(&self, commitment: &Commitment) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(&commitment.hash);
        let read = || match fs::metadata(&path)?.len() {
            0..=PAYLOAD_MAX => fs::read(&path),
            _ => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Removes a payload, so that it is gone for good when this returns.
    pub(super) fn remove(&self, commitment: &Hash) -> Result<(), StoreError> {
        let path = self.path(commitment);
        let removed = fs::remove_file(&path).and_then(|()| File::open(&self.0)?.sync_all());
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| StoreError::Io { path, source }),
        }
    }

    /// Removes the files that are not among `named`, which is only asked where there are files at all.
    pub(super) fn keep_only(
        &self,
        named: impl FnOnce() -> Result<HashSet<Hash>, StoreError>,
    ) -> Result<(), StoreError> {
        let io = |source| StoreError::Io { path: self.0.clone(), source };
        let files = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io)?,
        };
        let commitments = files.iter().filter_map(|file| hex::decode(file.file_name().to_str()?));
        let commitments: Vec<Hash> = commitments.collect();
        if !commitments.is_empty() {
            let named = named()?;
            commitments
                .iter()
                .filter(|found| !named.contains(*found))
                .try_for_each(|left| self.remove(left))?;
        }
        Ok(())
    }

    fn path(&self, commitment: &Hash) -> PathBuf {
        self.0.join(hex::encode(commitment))
    }
}

/// Payloads up to this length are rows.
const ROW_MAX: u64 = 256 << 10;
