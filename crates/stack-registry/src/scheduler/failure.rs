//! Why a scheduler has no hope left.

use std::fmt;

use crate::fetch::FetchErrorKind;

/// Why a download cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadFailure {
    /// The server's answer is final.
    Status(u16),
    /// The server has another length than was promised.
    Length {
        /// What was promised.
        expected: u64,
        /// What the server says.
        found: u64,
    },
    /// The content changes faster than it can be fetched.
    Changing,
    /// A part failed too often; this was its last failure.
    Exhausted(Failure),
    /// A failure after which nothing helps.
    Fetch(FetchErrorKind),
}

/// Why a connection ended before its part did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server could not, for now.
    Status(u16),
    /// The body was shorter than announced.
    Short,
    /// The reply holds other bytes than those asked for.
    Astray,
    /// The network.
    Fetch(FetchErrorKind),
}

impl fmt::Display for DownloadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the server answers with status {status}"),
            Self::Length { expected, found } => {
                write!(f, "the server has {found} bytes where {expected} were promised")
            }
            Self::Changing => f.write_str("the content changes while it is fetched"),
            Self::Exhausted(failure) => write!(f, "tried again and again; at last, {failure}"),
            Self::Fetch(kind) => write!(f, "{}", Failure::Fetch(*kind)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::Short => f.write_str("the reply was shorter than announced"),
            Self::Astray => f.write_str("the reply held other bytes than those asked for"),
            Self::Fetch(kind) => f.write_str(match kind {
                FetchErrorKind::Refused(_) => "the request may not leave this machine",
                FetchErrorKind::Unreachable => "no connection could be made",
                FetchErrorKind::Certificate => "the certificate is not trusted",
                FetchErrorKind::Broken => "the connection broke",
                FetchErrorKind::Stalled => "nothing came for too long",
                FetchErrorKind::Nonsense => "the reply made no sense",
                FetchErrorKind::Interrupted => "interrupted",
                FetchErrorKind::Machine => "this machine could not go on",
            }),
        }
    }
}
