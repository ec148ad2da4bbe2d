//! What may still be written, after something could not be.

use std::sync::Arc;

use crate::error::AuditError;
use crate::kind::Kind;
use crate::store::{Reserve, StoreError, is_full};

/// The state of the disk, as far as writes have shown it.
#[derive(Debug, Default)]
pub(super) enum Health {
    /// Everything is written.
    #[default]
    Sound,
    /// There was no room. What frees space goes into the reserve that was given up.
    Full,
    /// A write or a flush failed. What the disk holds is unknown until the log is read again, and a second flush would
    /// report success for pages that the system has dropped.
    Poisoned(Arc<StoreError>),
}

impl Health {
    pub(super) fn admits(&self, kind: Kind) -> bool {
        match self {
            Self::Sound => true,
            Self::Full => kind.is_of_log() || FREEING.contains(&kind),
            Self::Poisoned(_) => false,
        }
    }

    /// Says why nothing is admitted.
    pub(super) fn refusal(&self) -> AuditError {
        match self {
            Self::Poisoned(error) => AuditError::WriteFailed(error.clone()),
            Self::Sound | Self::Full => AuditError::DiskFull,
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        matches!(self, Self::Poisoned(_))
    }

    /// Returns whether an error is only about room.
    pub(super) fn is_full_disk(&self, error: &StoreError) -> bool {
        !self.is_poisoned() && is_full(error)
    }

    pub(super) fn poison(&mut self, error: StoreError) -> AuditError {
        *self = Self::Poisoned(Arc::new(error));
        self.refusal()
    }

    /// Goes on with the reserve.
    pub(super) fn fill(&mut self, reserve: &Reserve) {
        *self = Self::Full;
        // If it cannot be removed, the next write finds that out.
        let _kept = reserve.release();
    }

    /// Goes back to normal once there is room for a new reserve.
    pub(super) fn recover(&mut self, reserve: &Reserve) {
        if matches!(self, Self::Full) && reserve.take().is_ok() {
            *self = Self::Sound;
        }
    }
}

/// What makes room.
const FREEING: [Kind; 2] = [Kind::REMOVE, Kind::COLLECT];

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{self, SQLITE_FULL, SQLITE_IOERR_FSYNC};

    use super::*;
    use crate::store::{Folder, doing};

    fn failed(code: i32) -> StoreError {
        doing("committing entries")(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn a_full_disk_takes_what_frees_space_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Folder::new(folder.path()).reserve();
        reserve.take().unwrap();
        let mut health = Health::default();
        assert!(health.admits(Kind::PULL) && health.is_full_disk(&failed(SQLITE_FULL)));
        health.fill(&reserve);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the reserve is given up");
        let admitted = [Kind::REMOVE, Kind::COLLECT, Kind::DISK_FULL, Kind::ERASED];
        assert!(admitted.iter().all(|kind| health.admits(*kind)));
        assert!(!health.admits(Kind::PULL) && matches!(health.refusal(), AuditError::DiskFull));
        health.recover(&reserve);
        assert!(health.admits(Kind::PULL));
    }

    #[test]
    fn after_a_flush_that_failed_nothing_is_admitted_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut health = Health::default();
        assert!(!health.is_full_disk(&failed(SQLITE_IOERR_FSYNC)));
        health.poison(failed(SQLITE_IOERR_FSYNC));
        health.recover(&Folder::new(folder.path()).reserve());
        assert!(!health.admits(Kind::REMOVE) && !health.is_full_disk(&failed(SQLITE_FULL)));
        assert!(matches!(health.refusal(), AuditError::WriteFailed(_)));
    }
}
