//! What can go wrong, and whose fault it is.

use std::fmt;
use std::time::Duration;

/// Why a request was not answered, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatError {
    /// What callers branch on.
    pub kind: ErrorKind,
    /// What was attempted and what is wrong with it, in one sentence that the caller may see.
    pub message: String,
    /// The request field that is at fault, where one is.
    pub field: Option<String>,
}

/// The kinds of [`ChatError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request cannot be right for any model.
    Invalid,
    /// The request may be right, but this model or program cannot honour it.
    Unsupported,
    /// The prompt does not fit.
    ContextOverflow {
        /// Tokens in the prompt.
        prompt_tokens: u32,
        /// Tokens that the context holds.
        context: u32,
    },
    /// There is no such model.
    UnknownModel,
    /// No place is free; the same request may succeed later.
    Busy {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// The model is not ready yet.
    Loading,
    /// The program is shutting down.
    Closed,
    /// A defect or a failed device; not the caller's fault.
    Internal,
}

impl ChatError {
    /// Makes an error without a field.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None }
    }

    /// Makes an error of kind [`ErrorKind::Invalid`] that names the request field at fault.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into(), field: Some(field.into()) }
    }

    /// Makes an error of kind [`ErrorKind::Unsupported`] that names the request field at fault.
    pub fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unsupported, message: message.into(), field: Some(field.into()) }
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ChatError {}
