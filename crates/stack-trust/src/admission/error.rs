//! Why a model may not be loaded.

use std::error::Error;
use std::{fmt, io};

use crate::policy::Reason;
use crate::sealed::SealedError;
use crate::signatures::SignatureError;
use crate::target::TargetError;
use crate::trust_file::TrustError;

/// Why a model may not be loaded.
#[derive(Debug)]
pub enum AdmissionError {
    /// It is not known who is trusted.
    Trust(TrustError),
    /// What is signed about it cannot be used.
    Signature(SignatureError),
    /// Its files cannot be listed or hashed.
    Target(TargetError),
    /// What is sealed of it does not open, or nothing says what it holds.
    Sealed(SealedError),
    /// The store's file cannot be read.
    Read {
        /// The model.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A file is not the one that was signed.
    Differs(String),
    /// The policy refuses it.
    Refused {
        /// What people call it.
        title: String,
        /// Why.
        reason: Reason,
        /// What was found.
        detail: String,
        /// The rule, or that there is none.
        rule: String,
    },
}

impl fmt::Display for AdmissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust(error) => error.fmt(f),
            Self::Signature(error) => error.fmt(f),
            Self::Target(error) => error.fmt(f),
            Self::Sealed(error) => error.fmt(f),
            Self::Read { what, .. } => write!(f, "{what} cannot be read"),
            Self::Differs(name) => write!(f, "{name} does not match the signed statement"),
            Self::Refused { title, detail, .. } => write!(f, "{title}: {detail}"),
        }
    }
}

impl Error for AdmissionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Their text is this error's text.
            Self::Trust(error) => error.source(),
            Self::Signature(error) => error.source(),
            Self::Target(error) => error.source(),
            Self::Sealed(error) => error.source(),
            Self::Read { source, .. } => Some(source),
            Self::Differs(_) | Self::Refused { .. } => None,
        }
    }
}

impl From<TrustError> for AdmissionError {
    fn from(error: TrustError) -> Self {
        Self::Trust(error)
    }
}

impl From<SignatureError> for AdmissionError {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<TargetError> for AdmissionError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl From<SealedError> for AdmissionError {
    fn from(error: SealedError) -> Self {
        Self::Sealed(error)
    }
}
