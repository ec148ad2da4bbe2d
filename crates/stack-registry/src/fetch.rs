//! The one way to a network: whoever wants bytes from elsewhere is given a [`Fetch`].
//!
//! This crate has no HTTP client. The program implements [`Fetch`] with its single transport, which decides before
//! each request whether it may leave the machine. Redirects are therefore never followed inside: [`follow`] sees each
//! hop and asks again.

mod cancel;
mod error;
mod follow;
mod headers;
mod retry;

use std::fmt;
use std::io::Read;
use std::time::Duration;

use crate::url::Url;

pub use cancel::Cancel;
pub use error::{FaultDomain, FetchError, FetchErrorKind, Refusal, Retry};
pub use follow::{follow, read_body};
pub use headers::Headers;
pub use retry::RetryFetch;

/// Sends requests, one at a time per call, from any thread.
pub trait Fetch: Sync {
    /// Sends one request and returns the head of the reply, whatever its status, with the body still to be read.
    ///
    /// # Errors
    ///
    /// When the request may not be sent, or no reply came. A reply that the server calls a failure is no error here.
    fn send(&self, request: &Request) -> Result<Response, FetchError>;
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Who chose the address.
    pub hop: Hop,
    /// Further headers; none of them a secret.
    pub headers: Vec<(&'static str, String)>,
    /// The `Authorization` header, which belongs to the origin of `url`.
    pub authorization: Option<Authorization>,
    /// What is sent along.
    pub body: Vec<u8>,
    /// Whether it may be sent again where nobody knows if it was done.
    pub retry: Retry,
    /// The longest wait for the head of the reply, and for each further piece of its body.
    pub timeout: Duration,
    /// Ends the request, and the reading of its reply, at any time.
    pub cancel: Cancel,
}

/// The reply to a request.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body as it was sent: nothing is unpacked. Reading fails when the connection breaks or stalls.
    pub body: Box<dyn Read + Send>,
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Send the content.
    Get,
    /// Send the headers only.
    Head,
    /// Begin an upload.
    Post,
    /// Take the whole.
    Put,
    /// Take a piece.
    Patch,
}

/// Who chose the address of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Whoever gave the command, or the configuration.
    Asked,
    /// The server that was asked before: a redirect, or where an upload goes on.
    Led,
    /// The registry on this host, as the place where credentials are exchanged for a token.
    Realm {
        /// The host of the registry.
        of: String,
    },
}

/// The value of an `Authorization` header. It is never shown.
#[derive(Clone)]
pub struct Authorization(String);

impl Request {
    /// Makes a request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            hop: Hop::Asked,
            headers: Vec::new(),
            authorization: None,
            body: Vec::new(),
            retry: if matches!(method, Method::Get | Method::Head) { Retry::Safe } else { Retry::Never },
            timeout: TIMEOUT,
            cancel: Cancel::default(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds what proves who asks.
    #[must_use]
    pub fn authorized(mut self, authorization: Option<Authorization>) -> Self {
        self.authorization = authorization;
        self
    }
}

impl Authorization {
    /// Takes a token.
    pub fn bearer(token: &str) -> Self {
        Self(format!("Bearer {token}"))
    }

    /// Takes the value of the header as it is.
    pub fn raw(value: String) -> Self {
        Self(value)
    }

    /// Shows the value to whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Method {
    /// Returns the word of the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// How long nothing may happen.
const TIMEOUT: Duration = Duration::from_secs(30);
