//! Which acts are under way in processes that let others write meanwhile.
//!
//! An intent without an effect is of a process that lives, or of one that has ended and will never say what came of it.
//! The file system knows: a living process holds `open/<index>` with `flock`, and the system lets go of that, however the
//! process ends. The files are empty and never flushed, for after a loss of power nobody lives. They are made, removed
//! and looked at under the lock of the log.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The folder of claims.
#[derive(Clone, Debug)]
pub(crate) struct Claims(PathBuf);

/// Says, as long as it lives, that an act is under way.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _held: File,
}

impl Claims {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Claims the act whose intent has this index.
    pub(crate) fn take(&self, index: u64) -> Result<Claim, StoreError> {
        let path = self.path(index);
        let take = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            let file = open(&path, true)?;
            file.try_lock()?;
            Ok(file)
        };
        match take() {
            Ok(held) => Ok(Claim { path, _held: held }),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Returns whether the process lives that claimed this act. The file of one that does not is removed.
    pub(crate) fn is_held(&self, index: u64) -> Result<bool, StoreError> {
        let path = self.path(index);
        let io = |source| StoreError::Io { path: path.clone(), source };
        let file = match open(&path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(io)?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(io(source)),
            Ok(()) => fs::remove_file(&path).map(|()| false).map_err(io),
        }
    }

    fn path(&self, index: u64) -> PathBuf {
        self.0.join(index.to_string())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // If it stays, it is nobody's, which says the same.
        let _stays = fs::remove_file(&self.path);
    }
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().write(true).create(create).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_lasts_as_long_as_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let claims = Claims::new(folder.path().join("open"));
        assert!(!claims.is_held(7).unwrap());
        let claim = claims.take(7).unwrap();
        assert!(claims.is_held(7).unwrap() && !claims.is_held(8).unwrap());
        assert!(claims.take(7).is_err(), "nobody takes what somebody has");
        drop(claim);
        assert!(!claims.is_held(7).unwrap());
        // What a killed process leaves is a file that nobody holds.
        fs::write(folder.path().join("open/9"), "").unwrap();
        assert!(!claims.is_held(9).unwrap());
        assert_eq!(fs::read_dir(folder.path().join("open")).unwrap().count(), 0);
    }
}
