//! Why there is no reply.

use std::error::Error;
use std::{fmt, io};

use stack_chat::{Failure, FailureKind};

use crate::privacy::{Denied, Refusal};

/// A request that was not sent, or not answered.
#[derive(Debug)]
pub struct TransportError {
    /// What sort of failure it is.
    pub kind: TransportErrorKind,
    /// The host that was asked, with its port.
    pub host: String,
    /// What happened, as a sentence without capital and full stop.
    pub message: String,
    /// What lies behind it.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Sorts of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The name leads where nothing may be sent.
    Refused(Refusal),
    /// No connection: the name is unknown, or nobody listens.
    Unreachable,
    /// This machine does not trust the certificate.
    Certificate,
    /// The connection broke.
    Broken,
    /// Nothing came for too long.
    Stalled,
    /// What was to be sent, or what came, is not HTTP.
    Nonsense,
    /// This machine cannot: no certificates, no sockets.
    Machine,
}

impl TransportError {
    /// Makes an error without a cause.
    pub(super) fn new(kind: TransportErrorKind, host: &str, message: impl Into<String>) -> Self {
        Self { kind, host: host.to_owned(), message: message.into(), source: None }
    }

    pub(super) fn caused(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(cause.into()), ..self }
    }

    pub(super) fn denied(host: &str, denied: Denied) -> Self {
        Self::new(TransportErrorKind::Refused(denied.refusal), host, denied.message)
    }

    /// Sorts the client's errors. The address is left out: it may hold a signature.
    pub(super) fn of(host: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(denied) = current.downcast_ref::<Denied>() {
                return Self::denied(host, denied.clone());
            }
            if is_bad_certificate(current) {
                let message = "the server's certificate is not trusted";
                return Self::new(TransportErrorKind::Certificate, host, message).caused(innermost(&error));
            }
            cause = current.source();
        }
        let (kind, message) = if error.is_connect() {
            (TransportErrorKind::Unreachable, "cannot connect")
        } else if error.is_timeout() {
            (TransportErrorKind::Stalled, "timed out waiting for data")
        } else if error.is_builder() {
            (TransportErrorKind::Nonsense, "the request is invalid")
        } else {
            (TransportErrorKind::Broken, "the connection broke")
        };
        Self::new(kind, host, message).caused(innermost(&error))
    }

    /// Says the same as a failure of the provider of this name. What lies behind it is for the log.
    pub(crate) fn into_failure(self, provider: &str) -> Failure {
        let Self { kind, host, message, source } = self;
        let kind = match kind {
            TransportErrorKind::Refused(refusal) => {
                return Denied { refusal, message: format!("{provider} is not asked: {message}") }.into();
            }
            TransportErrorKind::Unreachable
            | TransportErrorKind::Certificate
            | TransportErrorKind::Broken => FailureKind::ConnectionFailed,
            TransportErrorKind::Stalled => FailureKind::Timeout,
            TransportErrorKind::Nonsense => FailureKind::StreamMalformed,
            TransportErrorKind::Machine => FailureKind::Internal,
        };
        let source = source.map(|source| format!(": {source}")).unwrap_or_default();
        let mut failure = Failure::new(kind, format!("{provider} did not answer: {message}"));
        failure.cause = Some(format!("{host}: {message}{source}"));
        failure
    }
}

/// Whether a cause is a certificate that this machine does not trust.
fn is_bad_certificate(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    // An `io::Error` shows what it was made of to whoever asks, and in the chain of causes only what lies behind that.
    cause.downcast_ref().and_then(io::Error::get_ref).is_some_and(|inner| is_bad_certificate(inner))
}

/// The last cause, which is what happened; those before it are names of the client's own parts.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.message)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
