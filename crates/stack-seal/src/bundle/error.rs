//! What can be wrong with a bundle.

use std::error::Error;
use std::fmt;

use crate::json::Fault;
use crate::key::PublicKey;
use crate::statement::StatementError;

/// Why some bytes are not a bundle that we read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// Not the format, with what is wrong.
    Malformed(String),
    /// A field stands twice.
    Duplicate,
    /// Signed by a method other than a key: `certificate` or `sigstore`.
    Method(&'static str),
}

impl From<Fault> for BundleError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Duplicate => Self::Duplicate,
            Fault::TooDeep => Self::Malformed("its values are nested too deeply".to_owned()),
            Fault::Syntax => Self::Malformed("it is not JSON, or not only JSON".to_owned()),
        }
    }
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "it is not a signature bundle: {what}"),
            Self::Duplicate => f.write_str("the signature bundle has a duplicate field"),
            Self::Method(method) => {
                write!(f, "the bundle is signed by the method `{method}`; only `key` is supported")
            }
        }
    }
}

impl Error for BundleError {}

/// Why a bundle does not prove that a key signed its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// No known key, and none that the payload names, is the one that the bundle hints at.
    NoKey,
    /// The key that the bundle hints at did not make the signature over this payload.
    BadSignature(PublicKey),
    /// The signature holds, but the payload does not name its key among the signers.
    NotASigner(PublicKey),
    /// The payload is not what was asked for.
    Payload(StatementError),
}

impl From<StatementError> for Unsigned {
    fn from(error: StatementError) -> Self {
        Self::Payload(error)
    }
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the signature is by an unknown key"),
            Self::BadSignature(key) => write!(f, "the signature was not made by {key} over this statement"),
            Self::NotASigner(key) => write!(f, "the statement does not name {key} among its signers"),
            Self::Payload(error) => error.fmt(f),
        }
    }
}

impl Error for Unsigned {}
