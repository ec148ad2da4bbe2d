//! Why a request got no reply.

use std::error::Error;
use std::{fmt, io};

/// A request that was not sent, or not answered.
#[derive(Debug)]
pub struct FetchError {
    /// What sort of failure it is.
    pub kind: FetchErrorKind,
    /// The host that was asked, with its port.
    pub host: String,
    /// What happened, as a sentence without capital and full stop.
    pub message: String,
    /// What lies behind it.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Sorts of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchErrorKind {
    /// The privacy tier keeps it on this machine.
    Refused(Refusal),
    /// No connection: the name is unknown, or nobody listens.
    Unreachable,
    /// Nobody that this machine trusts says that the server is who it claims to be.
    Certificate,
    /// The connection broke.
    Broken,
    /// Nothing came for too long.
    Stalled,
    /// What came is not HTTP, or beyond every limit.
    Nonsense,
    /// The user ended it.
    Interrupted,
    /// This machine cannot: no threads, no certificates, no sockets.
    Machine,
}

/// Why the privacy tier keeps a request on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The tier goes nowhere like that.
    TierForbids,
    /// The operator did not list the host.
    HostNotListed,
    /// Nothing is to be asked of the network.
    Offline,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultDomain {
    /// This machine's, or its policy's.
    Ours,
    /// The server's.
    Theirs,
    /// The network's between.
    Network,
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// It does no harm and may help.
    Safe,
}

impl FetchError {
    /// Makes an error without a cause.
    pub fn new(kind: FetchErrorKind, host: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, host: host.into(), message: message.into(), source: None }
    }

    /// Makes an error from a failed attempt to read a body: what a [`Fetch`](super::Fetch) wrapped keeps its kind.
    pub fn reading(host: &str, error: io::Error) -> Self {
        let kind = match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(inner) => inner.kind,
            None if error.kind() == io::ErrorKind::TimedOut => FetchErrorKind::Stalled,
            None => FetchErrorKind::Broken,
        };
        Self::new(kind, host, "the response ended early").caused(error)
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn caused(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }
}

impl FetchErrorKind {
    /// Tells whose fault it is.
    pub fn fault(self) -> FaultDomain {
        match self {
            Self::Refused(_) | Self::Interrupted | Self::Machine => FaultDomain::Ours,
            Self::Nonsense | Self::Certificate => FaultDomain::Theirs,
            Self::Unreachable | Self::Broken | Self::Stalled => FaultDomain::Network,
        }
    }

    /// Tells whether to try again.
    pub fn retry(self) -> Retry {
        match self.fault() {
            FaultDomain::Network => Retry::Safe,
            FaultDomain::Ours | FaultDomain::Theirs => Retry::Never,
        }
    }
}

impl Refusal {
    /// The code of the command line's contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::TierForbids => "tier-forbids",
            Self::HostNotListed => "host-not-listed",
            Self::Offline => "offline",
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.message)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
