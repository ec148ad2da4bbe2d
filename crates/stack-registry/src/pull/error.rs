//! Why a model did not come, or did not go.

use std::error::Error;
use std::fmt;

use crate::download::DownloadError;
use crate::fetch::{FetchError, FetchErrorKind, Refusal};
use crate::hub::{HubError, SelectorError};
use crate::manifest::BadDocument;
use crate::name::BadName;
use crate::oci::OciError;
use crate::scheduler::{DownloadFailure, Failure};
use crate::store::StoreError;

/// A pull or push that did not succeed.
#[derive(Debug)]
pub struct TransferError {
    /// What sort of failure it is.
    pub kind: TransferErrorKind,
    /// What was attempted, as a sentence without capital and full stop.
    pub message: String,
    /// What lies behind it.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Sorts of failure, as callers tell them apart.
#[derive(Debug)]
pub enum TransferErrorKind {
    /// There is no such thing, or not for whoever asks.
    Upstream404,
    /// Nothing in the repository is of the kind that was asked for.
    NoSuchFile,
    /// Several models fit what was asked for.
    AmbiguousQuant,
    /// A name or reference that is none.
    BadName,
    /// The other side's answer makes no sense.
    BadAnswer,
    /// What came is no model.
    NotAModel,
    /// All weights are programs, which are not run.
    Pickled,
    /// The bytes have another digest than was promised.
    DigestMismatch,
    /// There are more or fewer bytes than were promised.
    LengthMismatch,
    /// The name was signed by others before.
    SignerChanged,
    /// The privacy tier keeps it on this machine.
    Refused(Refusal),
    /// The model holds weights that are not sealed, or may not leave.
    WeightsTier,
    /// Nobody answers.
    Unreachable,
    /// Nobody that this machine trusts says that the server is who it claims to be.
    Certificate,
    /// The connection stalled or broke, again and again.
    Stalled,
    /// The other side fails.
    Upstream5xx,
    /// The other side does not take what it is sent, or not from us.
    UpstreamRefuses,
    /// The name means another model already.
    NameTaken,
    /// Other processes are at it, again and again.
    Locked,
    /// The store fails.
    Store(Box<StoreError>),
    /// This machine cannot.
    Machine,
    /// Whoever wanted it has ended it.
    Interrupted,
}

impl TransferError {
    /// Makes an error.
    pub fn new(kind: TransferErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn caused(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// Makes an error from a download of `file`.
    pub(super) fn downloading(file: &str, error: DownloadError) -> Self {
        match error {
            DownloadError::Store(error) => error.into(),
            DownloadError::Renewal(error)
            | DownloadError::Failed { last: Some(error), reason: DownloadFailure::Fetch(_) } => error.into(),
            DownloadError::Cancelled => Self::new(TransferErrorKind::Interrupted, "interrupted"),
            DownloadError::Failed { reason, last } => {
                let kind = match &reason {
                    DownloadFailure::Status(status) => of_status(*status),
                    DownloadFailure::Length { .. } => TransferErrorKind::LengthMismatch,
                    DownloadFailure::Fetch(kind) | DownloadFailure::Exhausted(Failure::Fetch(kind)) => {
                        of_kind(*kind)
                    }
                    DownloadFailure::Exhausted(Failure::Short) => TransferErrorKind::Stalled,
                    DownloadFailure::Exhausted(Failure::Astray) | DownloadFailure::Changing => {
                        TransferErrorKind::BadAnswer
                    }
                    DownloadFailure::Exhausted(Failure::Status(_)) => TransferErrorKind::Upstream5xx,
                };
                let error = Self::new(kind, format!("{file}: {reason}"));
                match last {
                    Some(last) => error.caused(last),
                    None => error,
                }
            }
        }
    }
}

impl TransferErrorKind {
    /// The code of the command line's contract.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Upstream404 => "upstream-404",
            Self::NoSuchFile => "no-such-file",
            Self::AmbiguousQuant => "ambiguous-quant",
            Self::BadName => "bad-name",
            Self::BadAnswer => "bad-answer",
            Self::NotAModel => "not-a-model",
            Self::Pickled => "pickled-weights",
            Self::DigestMismatch => "digest-mismatch",
            Self::LengthMismatch => "length-mismatch",
            Self::SignerChanged => "signer-changed",
            Self::Refused(refusal) => refusal.code(),
            Self::NameTaken => "name-taken",
            Self::Locked => "locked-by",
            Self::Store(error) => error.code(),
            Self::WeightsTier => "weights-tier",
            Self::Unreachable => "unreachable",
            Self::Certificate => "bad-certificate",
            Self::Stalled => "stalled",
            Self::Upstream5xx => "upstream-5xx",
            Self::UpstreamRefuses => "upstream-refuses",
            Self::Machine => "io",
            Self::Interrupted => "interrupted",
        }
    }
}

fn of_kind(kind: FetchErrorKind) -> TransferErrorKind {
    match kind {
        FetchErrorKind::Refused(refusal) => TransferErrorKind::Refused(refusal),
        FetchErrorKind::Unreachable => TransferErrorKind::Unreachable,
        FetchErrorKind::Certificate => TransferErrorKind::Certificate,
        FetchErrorKind::Broken | FetchErrorKind::Stalled => TransferErrorKind::Stalled,
        FetchErrorKind::Nonsense => TransferErrorKind::BadAnswer,
        FetchErrorKind::Interrupted => TransferErrorKind::Interrupted,
        FetchErrorKind::Machine => TransferErrorKind::Machine,
    }
}

impl TransferErrorKind {
    /// Sorts a status that is no success.
    pub(super) fn of_status(status: u16) -> Self {
        of_status(status)
    }
}

fn of_status(status: u16) -> TransferErrorKind {
    match status {
        401 | 403 | 404 | 410 => TransferErrorKind::Upstream404,
        429 | 500..=599 => TransferErrorKind::Upstream5xx,
        400..=499 => TransferErrorKind::UpstreamRefuses,
        _ => TransferErrorKind::BadAnswer,
    }
}

impl From<FetchError> for TransferError {
    fn from(error: FetchError) -> Self {
        let message = match error.kind {
            // The gate has named the host already.
            FetchErrorKind::Refused(_) => error.message.clone(),
            _ => error.to_string(),
        };
        let new = Self::new(of_kind(error.kind), message);
        Self { source: error.source, ..new }
    }
}

impl From<StoreError> for TransferError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Differs { .. } => Self::new(TransferErrorKind::DigestMismatch, message),
            StoreError::Length { .. } => Self::new(TransferErrorKind::LengthMismatch, message),
            other => Self::new(TransferErrorKind::Store(Box::new(other)), message),
        }
    }
}

impl From<HubError> for TransferError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Fetch(error) => error.into(),
            HubError::Missing { .. } => Self::new(TransferErrorKind::Upstream404, error.to_string()),
            HubError::Status { status, .. } => Self::new(of_status(status), error.to_string()),
            HubError::Malformed(problem) => Self::new(TransferErrorKind::BadAnswer, problem),
        }
    }
}

impl From<OciError> for TransferError {
    fn from(error: OciError) -> Self {
        let message = error.to_string();
        match error {
            OciError::Fetch(error) => error.into(),
            OciError::Missing { .. } => Self::new(TransferErrorKind::Upstream404, message),
            OciError::Status { status, .. } => Self::new(of_status(status), message),
            OciError::Differs { .. } => Self::new(TransferErrorKind::DigestMismatch, message),
            OciError::Malformed(problem) => Self::new(TransferErrorKind::BadAnswer, problem),
            OciError::Reading(error) => Self::new(TransferErrorKind::Machine, message).caused(error),
        }
    }
}

impl From<SelectorError> for TransferError {
    fn from(error: SelectorError) -> Self {
        let reason = match error {
            SelectorError::Nothing(_) => TransferErrorKind::NoSuchFile,
            SelectorError::Pickled(_) => TransferErrorKind::Pickled,
            SelectorError::Several(_) => TransferErrorKind::AmbiguousQuant,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<BadName> for TransferError {
    fn from(error: BadName) -> Self {
        Self::new(TransferErrorKind::BadName, error.to_string())
    }
}

impl From<BadDocument> for TransferError {
    fn from(error: BadDocument) -> Self {
        Self::new(TransferErrorKind::BadAnswer, error.to_string())
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TransferError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            // Its text is this error's text.
            TransferErrorKind::Store(error) => error.source(),
            _ => self.source.as_deref().map(|source| source as &(dyn Error + 'static)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_is_refused_is_not_a_server_that_fails() {
        let code = |status| {
            let reason = DownloadFailure::Status(status);
            TransferError::downloading("f", DownloadError::Failed { reason, last: None }).kind.code()
        };
        assert_eq!(
            [404, 400, 503, 304].map(code),
            ["upstream-404", "upstream-refuses", "upstream-5xx", "bad-answer"]
        );
    }
}
