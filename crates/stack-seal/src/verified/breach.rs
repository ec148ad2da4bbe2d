//! Why bytes are not what they should be.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Range;

use crate::age::PayloadError;
use crate::digest::{Root, TooLong};

/// The end of a pass: the first thing that is wrong, and where.
#[derive(Debug)]
pub enum Breach {
    /// The system could not read these bytes.
    Io {
        /// The bytes of the file that were asked for.
        bytes: Range<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be taken at all.
    Unusable(io::Error),
    /// The length is beyond what one file may have.
    TooLong(TooLong),
    /// The length differs from the expected one.
    Length {
        /// What was expected.
        expected: u64,
        /// What the file has.
        found: u64,
    },
    /// Bytes were asked for that the file does not have.
    Beyond {
        /// What was asked for.
        bytes: Range<u64>,
        /// What the file has.
        length: u64,
    },
    /// The leaf list belongs to another content.
    Leaves {
        /// The root that is expected; none where a leaf list has nothing to stand on.
        expected: Option<Root>,
        /// The root that the list merges to.
        found: Root,
    },
    /// A span differs from what the leaf list says.
    Span {
        /// The span's number, from 0.
        index: usize,
        /// The bytes that it covers.
        bytes: Range<u64>,
    },
    /// A span was read again and was no longer the same.
    Changed {
        /// The span's number, from 0.
        index: usize,
        /// The bytes that it covers.
        bytes: Range<u64>,
    },
    /// A sealed file does not open.
    Payload(PayloadError),
    /// A sealed file has no expected root, without which it says nothing about who wrote it.
    Unanchored,
    /// The root differs from the expected one.
    Root {
        /// What was expected.
        expected: Root,
        /// What the file has.
        found: Root,
    },
    /// The file's length or time changed while it was read.
    Modified,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { bytes, .. } => write!(f, "bytes {}..{} cannot be read", bytes.start, bytes.end),
            Self::Unusable(_) => f.write_str("the file cannot be used"),
            Self::TooLong(too_long) => too_long.fmt(f),
            Self::Length { expected, found } => write!(f, "expected {expected} bytes, found {found}"),
            Self::Beyond { bytes, length } => {
                write!(f, "bytes {}..{} were requested of only {length}", bytes.start, bytes.end)
            }
            Self::Leaves { expected: Some(expected), found } => {
                write!(f, "the leaf list belongs to {found}, not {expected}")
            }
            Self::Leaves { expected: None, .. } => {
                f.write_str("a leaf list is useless without an expected root")
            }
            Self::Span { index, bytes } => {
                write!(f, "span {index} (bytes {}..{}) differs", bytes.start, bytes.end)
            }
            Self::Changed { index, bytes } => {
                write!(f, "span {index} (bytes {}..{}) changed while it was read", bytes.start, bytes.end)
            }
            Self::Payload(error) => error.fmt(f),
            Self::Unanchored => f.write_str("a sealed file cannot be used without a known root"),
            Self::Root { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Modified => f.write_str("the file changed while it was read"),
        }
    }
}

impl Error for Breach {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Unusable(source) => Some(source),
            // Its text is this error's text.
            Self::Payload(error) => error.source(),
            _ => None,
        }
    }
}

impl From<TooLong> for Breach {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}
