//! What can be wrong with a statement.

use std::error::Error;
use std::fmt;

use crate::json::Fault;

/// Why a payload is not a statement that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementError {
    kind: StatementErrorKind,
    what: String,
}

/// What sort of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementErrorKind {
    /// It breaks the format.
    Malformed,
    /// A field stands twice.
    Duplicate,
    /// It lists files in a way that is possible but not supported.
    Unsupported,
    /// It says something else than what was asked for.
    Predicate,
}

impl StatementError {
    pub(crate) fn new(kind: StatementErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::new(StatementErrorKind::Malformed, what)
    }

    /// Tells what sort of error it is.
    pub fn kind(&self) -> StatementErrorKind {
        self.kind
    }
}

impl From<Fault> for StatementError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Duplicate => Self::new(StatementErrorKind::Duplicate, "a field is duplicated"),
            Fault::TooDeep => Self::malformed("its values are nested too deeply"),
            Fault::Syntax => Self::malformed("it is not JSON, or not only JSON"),
        }
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the statement is invalid: {}", self.what)
    }
}

impl Error for StatementError {}
