//! Why a session cannot go on.

use std::error::Error;
use std::fmt;

use stack_audit::{AuditError, StoreError, StreamId};

use crate::kernel::KernelError;
use crate::state::State;

/// Why a session cannot start or go on.
#[derive(Debug)]
pub enum SessionError {
    /// The log could not be written. What was not written was not done.
    Write(AuditError),
    /// The log could not be read.
    Read(StoreError),
    /// The record makes no sense.
    Kernel(KernelError),
    /// There is no such session.
    Unknown {
        /// The stream.
        stream: StreamId,
    },
    /// It is over.
    Ended {
        /// The stream.
        stream: StreamId,
        /// How it ended.
        state: State,
    },
    /// Another process is at it.
    Busy {
        /// The stream.
        stream: StreamId,
    },
    /// The machine waits for something that nobody will give it, which is a defect.
    Stuck {
        /// The stream.
        stream: StreamId,
    },
    /// The task has more than 32 KiB.
    TaskTooLong,
}

impl SessionError {
    pub(super) fn writing(error: AuditError) -> Self {
        Self::Write(error)
    }

    pub(super) fn reading(error: StoreError) -> Self {
        Self::Read(error)
    }
}

impl From<KernelError> for SessionError {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(AuditError::SequenceMismatch { .. } | AuditError::NoIntent) => {
                f.write_str("another process wrote to the session meanwhile")
            }
            Self::Write(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Kernel(error) => error.fmt(f),
            Self::Unknown { stream } => write!(f, "there is no session {stream}"),
            Self::Ended { stream, state } => write!(f, "the session {stream} is {state}, and stays that"),
            Self::Busy { stream } => write!(f, "another process is at the session {stream}"),
            Self::Stuck { stream } => write!(f, "the session {stream} waits for nothing, which is a defect"),
            Self::TaskTooLong => {
                f.write_str("a task has at most 32 KiB; put the rest into a file of the workspace")
            }
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Write(error) => error.source(),
            Self::Read(error) => error.source(),
            _ => None,
        }
    }
}
