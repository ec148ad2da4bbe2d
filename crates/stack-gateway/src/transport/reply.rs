//! The reply to a request, whose body is read piece by piece.

use crate::privacy::EgressEntry;
use crate::transport::TransportError;

/// The reply to a request. Dropped before its body ended, the connection is closed.
#[derive(Debug)]
pub struct Reply {
    response: reqwest::Response,
    host: String,
    entry: EgressEntry,
}

impl Reply {
    pub(super) fn new(response: reqwest::Response, host: String, entry: EgressEntry) -> Self {
        Self { response, host, entry }
    }

    /// Returns the status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Iterates over the headers, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// Returns a header whose value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns the next piece of the body as it was sent, and nothing behind the last.
    ///
    /// # Errors
    ///
    /// When the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, TransportError> {
        self.response.chunk().await.map_err(|error| TransportError::of(&self.host, error))
    }

    /// Takes out the entry of the audit log that ends with this reply.
    pub(crate) fn take_entry(&mut self) -> EgressEntry {
        std::mem::take(&mut self.entry)
    }
}
