//! Why a download ended early.

use std::error::Error;
use std::fmt;

use crate::fetch::FetchError;
use crate::scheduler::DownloadFailure;
use crate::store::StoreError;

/// A download that is not complete.
#[derive(Debug)]
pub enum DownloadError {
    /// The scheduler has no hope left.
    Failed {
        /// Why.
        reason: DownloadFailure,
        /// The last failure that was no status.
        last: Option<FetchError>,
    },
    /// The address could not be found again.
    Renewal(FetchError),
    /// The disk.
    Store(StoreError),
    /// Whoever wanted it has ended it.
    Cancelled,
}

impl From<StoreError> for DownloadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { reason, .. } => write!(f, "{reason}"),
            Self::Renewal(error) => write!(f, "the download URL could not be renewed: {error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Cancelled => f.write_str("interrupted"),
        }
    }
}

impl Error for DownloadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { last, .. } => last.as_ref().map(|error| error as &(dyn Error + 'static)),
            Self::Renewal(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::Cancelled => None,
        }
    }
}
