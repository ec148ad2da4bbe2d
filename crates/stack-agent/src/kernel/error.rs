//! Why an entry cannot follow.

use std::error::Error;
use std::fmt;

use crate::state::InvalidTransition;

/// Why an entry cannot be the next one of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelError {
    /// An entry is missing.
    Gap {
        /// The place of the next one.
        expected: u64,
        /// The place of the one that came.
        found: u64,
    },
    /// The log says otherwise than the machine decided.
    Divergence {
        /// The place of the entry.
        seq: u64,
        /// What of it differs.
        field: &'static str,
        /// What the machine decided.
        expected: String,
        /// What the log says.
        found: String,
    },
    /// The payload was erased, so nobody can say what followed from it.
    CannotReplay {
        /// The place of the entry.
        seq: u64,
    },
    /// The session was begun by another version of the machine, whose rules this one does not know.
    UnsupportedKernel {
        /// That version.
        version: i64,
    },
    /// The entry makes no sense at its place.
    Malformed {
        /// The place of the entry.
        seq: u64,
        /// What of it makes no sense.
        field: &'static str,
    },
    /// The states do not follow each other.
    InvalidTransition(InvalidTransition),
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "entry {expected} of the session is missing: {found} comes instead")
            }
            Self::Divergence { seq, field, expected, found } => {
                let short = |text: &str| text.chars().take(400).collect::<String>();
                write!(
                    f,
                    "divergence at entry {seq}: its {field} is {}, where the session would write {}",
                    short(found),
                    short(expected)
                )
            }
            Self::CannotReplay { seq } => {
                write!(f, "the payload of entry {seq} was erased, so the session cannot be replayed")
            }
            Self::UnsupportedKernel { version } => {
                write!(
                    f,
                    "the session was begun by version {version} of the machine, which this program does not know"
                )
            }
            Self::Malformed { seq, field } => write!(f, "entry {seq} makes no sense there: {field}"),
            Self::InvalidTransition(error) => error.fmt(f),
        }
    }
}

impl Error for KernelError {}

impl From<InvalidTransition> for KernelError {
    fn from(error: InvalidTransition) -> Self {
        Self::InvalidTransition(error)
    }
}
