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
