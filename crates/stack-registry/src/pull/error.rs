//! Why a model did not come, or did not go.

use std::error::Error;
use std::fmt;

use crate::download::DownloadError;
use crate::fetch::{FetchError, Trouble};
use crate::hub::{ChoiceError, HubError};
use crate::manifest::BadDocument;
use crate::name::BadName;
use crate::oci::OciError;
use crate::plan::{Failure, GiveUp};
use crate::store::StoreError;

/// A pull or push that did not succeed.
#[derive(Debug)]
pub struct TransferError {
    /// What sort of failure it is.
    pub reason: Reason,
    /// What was attempted, as a sentence without capital and full stop.
    pub message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Sorts of failure, as callers tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
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
    /// The bytes have another digest than was promised.
    DigestMismatch,
    /// There are more or fewer bytes than were promised.
    LengthMismatch,
    /// The name was signed by others before.
    SignerChanged,
    /// The privacy tier keeps it on this machine: `tier-forbids`, `host-not-listed`, `offline`.
    Refused(&'static str),
    /// The model holds weights that are not sealed, or may not leave.
    WeightsTier,
    /// Nobody answers.
    Unreachable,
    /// The connection stalled or broke, again and again.
    Stalled,
    /// The other side fails.
    Upstream5xx,
    /// The other side does not take what it is sent, or not from us.
    UpstreamRefuses,
    /// The store; see its own code.
    Store(&'static str),
    /// This machine cannot.
    Machine,
    /// Whoever wanted it has ended it.
    Interrupted,
}

impl TransferError {
    /// Makes an error.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), source: None }
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn caused(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// Returns what lies behind it.
    pub fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }

    /// Makes an error from a download of `file`.
    pub(super) fn downloading(file: &str, error: DownloadError) -> Self {
        match error {
            DownloadError::Store(error) => error.into(),
            DownloadError::Renewal(error)
            | DownloadError::GaveUp { last: Some(error), reason: GiveUp::Trouble(_) } => error.into(),
            DownloadError::Cancelled => Self::new(Reason::Interrupted, "interrupted"),
            DownloadError::GaveUp { reason, last } => {
                let kind = match &reason {
                    GiveUp::Status(401 | 403 | 404 | 410) => Reason::Upstream404,
                    GiveUp::Length { .. } => Reason::LengthMismatch,
                    GiveUp::Trouble(trouble) | GiveUp::Exhausted(Failure::Trouble(trouble)) => {
                        of_trouble(*trouble)
                    }
                    GiveUp::Exhausted(Failure::Short) => Reason::Stalled,
                    GiveUp::Exhausted(Failure::Astray) | GiveUp::Changing => Reason::BadAnswer,
                    GiveUp::Status(_) | GiveUp::Exhausted(Failure::Status(_)) => Reason::Upstream5xx,
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

impl Reason {
    /// The code of the command line's contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::Upstream404 => "upstream-404",
            Self::NoSuchFile => "no-such-file",
            Self::AmbiguousQuant => "ambiguous-quant",
            Self::BadName => "bad-name",
            Self::BadAnswer => "bad-answer",
            Self::NotAModel => "not-a-model",
            Self::DigestMismatch => "digest-mismatch",
            Self::LengthMismatch => "length-mismatch",
            Self::SignerChanged => "signer-changed",
            Self::Refused(code) | Self::Store(code) => code,
            Self::WeightsTier => "weights-tier",
            Self::Unreachable => "unreachable",
            Self::Stalled => "stalled",
            Self::Upstream5xx => "upstream-5xx",
            Self::UpstreamRefuses => "upstream-refuses",
            Self::Machine => "io",
            Self::Interrupted => "interrupted",
        }
    }
}

fn of_trouble(trouble: Trouble) -> Reason {
    match trouble {
        Trouble::Refused(code) => Reason::Refused(code),
        Trouble::Unreachable => Reason::Unreachable,
        Trouble::Broken | Trouble::Stalled => Reason::Stalled,
        Trouble::Nonsense => Reason::BadAnswer,
        Trouble::Interrupted => Reason::Interrupted,
        Trouble::Machine => Reason::Machine,
    }
}

impl Reason {
    /// Sorts a status that is no success.
    pub(super) fn of_status(status: u16) -> Self {
        of_status(status)
    }
}

fn of_status(status: u16) -> Reason {
    match status {
        401 | 403 | 404 | 410 => Reason::Upstream404,
        429 | 500..=599 => Reason::Upstream5xx,
        400..=499 => Reason::UpstreamRefuses,
        _ => Reason::BadAnswer,
    }
}

impl From<FetchError> for TransferError {
    fn from(error: FetchError) -> Self {
        let message = match error.trouble {
            // The gate has named the host already.
            Trouble::Refused(_) => error.message.clone(),
            _ => error.to_string(),
        };
        let new = Self::new(of_trouble(error.trouble), message);
        Self { source: error.source, ..new }
    }
}

impl From<StoreError> for TransferError {
    fn from(error: StoreError) -> Self {
        let reason = match &error {
            StoreError::Differs { .. } => Reason::DigestMismatch,
            StoreError::Length { .. } => Reason::LengthMismatch,
            other => Reason::Store(other.code()),
        };
        Self::new(reason, error.to_string()).caused_by_source_of(error)
    }
}

impl TransferError {
    /// The store's error says itself what was attempted; what lies behind it is the cause.
    fn caused_by_source_of(self, error: StoreError) -> Self {
        match error {
            StoreError::Io { source, .. } => self.caused(source),
            StoreError::Malformed { source, .. } => self.caused(source),
            _ => self,
        }
    }
}

impl From<HubError> for TransferError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Fetch(error) => error.into(),
            HubError::Missing { .. } => Self::new(Reason::Upstream404, error.to_string()),
            HubError::Status { status, .. } => Self::new(of_status(status), error.to_string()),
            HubError::Malformed(problem) => Self::new(Reason::BadAnswer, problem),
        }
    }
}

impl From<OciError> for TransferError {
    fn from(error: OciError) -> Self {
        let message = error.to_string();
        match error {
            OciError::Fetch(error) => error.into(),
            OciError::Missing { .. } => Self::new(Reason::Upstream404, message),
            OciError::Status { status, .. } => Self::new(of_status(status), message),
            OciError::Differs { .. } => Self::new(Reason::DigestMismatch, message),
            OciError::Malformed(problem) => Self::new(Reason::BadAnswer, problem),
            OciError::Reading(error) => Self::new(Reason::Machine, message).caused(error),
        }
    }
}

impl From<ChoiceError> for TransferError {
    fn from(error: ChoiceError) -> Self {
        let reason = match error {
            ChoiceError::Nothing => Reason::NoSuchFile,
            ChoiceError::Several(_) => Reason::AmbiguousQuant,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<BadName> for TransferError {
    fn from(error: BadName) -> Self {
        Self::new(Reason::BadName, error.to_string())
    }
}

impl From<BadDocument> for TransferError {
    fn from(error: BadDocument) -> Self {
        Self::new(Reason::BadAnswer, error.to_string())
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TransferError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
