//! Why nothing was written.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::identity::StreamId;
use crate::payload::BadPayload;
use crate::store::StoreError;

/// Why something was not written to the log. What was not written must not be done.
#[derive(Clone, Debug)]
pub enum AuditError {
    /// The payload cannot be written by anybody.
    Payload(BadPayload),
    /// Somebody else wrote to the stream.
    SequenceMismatch {
        /// The place that the draft was to get.
        expected: u64,
        /// The place that it would have got.
        found: u64,
    },
    /// The disk is full; only what frees space is written until there is room again.
    DiskFull,
    /// A write failed, so nothing can be known of what is on the disk: nothing more is written before the log is opened again.
    WriteFailed(Arc<StoreError>),
    /// The log could not be read.
    ReadFailed(Arc<StoreError>),
    /// The log could not be taken from those who wrote to it meanwhile.
    Unavailable(Arc<StoreError>),
    /// The intent of this effect was never written.
    NoIntent,
    /// The log is closed.
    Closed,
    /// The stream is on hold, so nothing of it is erased.
    Held {
        /// The stream.
        stream: StreamId,
        /// Why.
        reason: String,
    },
    /// No stream of this name has an entry.
    UnknownStream(StreamId),
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(error) => error.fmt(f),
            Self::SequenceMismatch { expected, found } => {
                write!(f, "the entry was to be number {expected} of its stream, where it would be {found}")
            }
            Self::DiskFull => f.write_str(
                "the disk is full, so the audit log takes only what frees space; remove models with `stack rm`",
            ),
            Self::WriteFailed(_) => {
                f.write_str("the audit log could not be written, so nothing more is done; start again to go on")
            }
            Self::ReadFailed(_) => f.write_str("the audit log could not be read"),
            Self::Unavailable(_) => f.write_str("nothing can be written to the audit log now"),
            Self::NoIntent => f.write_str("the intent of this effect was never written"),
            Self::Closed => f.write_str("the audit log is closed"),
            Self::Held { stream, reason } => {
                write!(f, "{stream} is on hold ({reason}); `stack audit hold {stream} --release` ends that")
            }
            Self::UnknownStream(stream) => write!(f, "the audit log has no entry of {stream}"),
        }
    }
}

impl Error for AuditError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is this error's text.
            Self::Payload(error) => error.source(),
            Self::WriteFailed(error) | Self::ReadFailed(error) | Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for AuditError {
    fn from(error: StoreError) -> Self {
        Self::ReadFailed(Arc::new(error))
    }
}
