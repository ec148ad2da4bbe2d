//! What is wrong with a log, and where.

use std::error::Error;
use std::fmt;

use crate::entry::Entry;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::note::BadNote;

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub class: FaultClass,
    /// The entry at which it shows, or the size of the checkpoint.
    pub index: Option<u64>,
    /// The stream of that entry, where it could be read.
    pub stream: Option<StreamId>,
    /// Its place there.
    pub seq: Option<u64>,
    /// What it is about.
    pub kind: Option<Kind>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Fault {
    /// Says what is wrong without naming an entry.
    pub fn new(class: FaultClass, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { class, index: None, stream: None, seq: None, kind: None, expected, found }
    }

    /// Names the place.
    #[must_use]
    pub fn at(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Names the entry.
    #[must_use]
    pub fn of(self, entry: &Entry) -> Self {
        Self { stream: Some(entry.stream), seq: Some(entry.seq), kind: Some(entry.kind), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.name())?;
        if let Some(index) = self.index {
            write!(f, " at {index}")?;
        }
        if let (Some(stream), Some(seq), Some(kind)) = (self.stream, self.seq, self.kind) {
            write!(f, " ({kind}, {stream} {seq})")?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

impl Error for Fault {}

/// The kinds of things that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// Bytes that are no entry of this log, or do not meet their hash.
    BadEntry,
    /// Another predecessor.
    BadLink,
    /// An index or a seq is missing.
    Gap,
    /// An index or a seq is there twice.
    Duplicate,
    /// An effect without its intent, or a second one.
    BadClose,
    /// A payload that does not meet its commitment.
    PayloadChanged,
    /// A payload that is gone without an erasure.
    PayloadMissing,
    /// A checkpoint speaks of more entries than there are.
    Truncated,
    /// The entries have another root than a checkpoint says.
    Rewritten,
    /// Two signed checkpoints contradict each other.
    SplitView,
    /// A checkpoint that its key did not sign.
    BadSignature,
    /// A checkpoint that no known key signed.
    UnknownKey,
    /// No entry of the stream that was asked for.
    UnknownSession,
    /// Nothing from outside was there to compare with, and it was required.
    NotAnchored,
    /// Not a log, a newer version, or a damaged database.
    Unreadable,
}

impl From<BadNote> for FaultClass {
    fn from(error: BadNote) -> Self {
        match error {
            BadNote::UnknownKey => Self::UnknownKey,
            BadNote::Signature | BadNote::Form => Self::BadSignature,
        }
    }
}

impl FaultClass {
    /// Returns the name that machines read.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadEntry => "bad_entry",
            Self::BadLink => "bad_link",
            Self::Gap => "gap",
            Self::Duplicate => "duplicate",
            Self::BadClose => "bad_close",
            Self::PayloadChanged => "payload_changed",
            Self::PayloadMissing => "payload_missing",
            Self::Truncated => "truncated",
            Self::Rewritten => "rewritten",
            Self::SplitView => "split_view",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::UnknownSession => "unknown_session",
            Self::NotAnchored => "not_anchored",
            Self::Unreadable => "unreadable",
        }
    }

    /// Returns the exit code of a command that found this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::UnknownSession => 3,
            Self::Unreadable => 4,
            Self::UnknownKey | Self::NotAnchored => 6,
            _ => 5,
        }
    }
}
