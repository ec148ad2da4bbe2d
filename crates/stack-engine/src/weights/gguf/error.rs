//! What is wrong with a GGUF header, and where.

use std::{fmt, io};

/// Why a GGUF header cannot be understood.
#[derive(Debug)]
pub struct GgufError {
    /// The byte of the file where the trouble was noticed.
    pub offset: u64,
    /// What was being read: the header, a metadata key, a tensor's description.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
    /// The failure to read, if that is what happened.
    pub source: Option<io::Error>,
}

impl fmt::Display for GgufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.subject, self.offset, self.problem)
    }
}

impl std::error::Error for GgufError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
