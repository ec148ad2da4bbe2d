//! OCI registries: the distribution specification, as far as models need it.
//!
//! ```text
//! GET  /v2/REPO/manifests/TAG|DIGEST       what a model consists of
//! GET  /v2/REPO/blobs/DIGEST               a file, perhaps behind a redirect
//! GET  /v2/REPO/referrers/DIGEST           what was attached to it, such as signatures
//! POST /v2/REPO/blobs/uploads/             then PATCH and PUT where the answer says
//! PUT  /v2/REPO/manifests/TAG|DIGEST
//! ```
//!
//! A registry that answers 401 names a realm where a token can be had. Credentials for the registry are shown to that
//! realm, so it must be one that [`Fetch`] lets pass as [`Hop::Realm`].

mod challenge;
mod push;
mod referrers;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use stack_seal::digest::{Digest, Sha256Hasher};

use crate::download::Location;
use crate::fetch::{
    Authorization, Cancel, Fetch, FetchError, FetchErrorKind, Hop, Method, Request, Response, Retry, follow,
    read_body,
};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, kind};
use crate::url::{Url, UrlError};

use challenge::Challenge;
pub use push::{Pushed, push_blob, push_manifest};
pub use referrers::{attach_referrer, referrers};

/// One repository of a registry, and who asks it.
#[derive(Debug)]
pub struct Remote {
    base: Url,
    repository: String,
    scope: Scope,
    /// What the registry, or its realm, is shown.
    credentials: Option<Authorization>,
    /// What is sent with each request, once it is known.
    token: Mutex<Option<Authorization>>,
    cancel: Cancel,
}

/// What one wants to do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

/// A registry that does not do what is asked.
#[derive(Debug)]
pub enum OciError {
    /// No reply.
    Fetch(FetchError),
    /// The registry has no such thing, or not for whoever asks.
    Missing {
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
    },
    /// Another status than success.
    Status {
        /// What was attempted.
        what: String,
        /// The status.
        status: u16,
    },
    /// What came is not what was asked for.
    Differs {
        /// What was asked for.
        what: String,
        /// The digest that came.
        found: Digest,
    },
    /// What came makes no sense.
    Malformed(String),
    /// The file that is sent cannot be read.
    Reading(std::io::Error),
}

/// A blob of a repository.
pub struct RemoteBlob<'a> {
    remote: &'a Remote,
    url: Url,
}

/// What a document says that it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Remote {
    /// Names a repository. `base` is the scheme and host of the registry.
    pub fn new(
        base: Url,
        repository: &str,
        scope: Scope,
        credentials: Option<Authorization>,
        cancel: Cancel,
    ) -> Self {
        Self { base, repository: repository.to_owned(), scope, credentials, token: Mutex::default(), cancel }
    }

    /// Returns scheme and host of the registry.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Fetches a manifest by tag or digest, as the bytes that its digest is of.
    ///
    /// # Errors
    ///
    /// When the registry does not have it, or it is longer than 4 MiB, or not what was asked for.
    pub fn manifest(&self, fetch: &dyn Fetch, version: &str) -> Result<(Descriptor, Vec<u8>), OciError> {
        let what = || format!("{self}:{version}");
        let url = self.address(&format!("manifests/{version}"))?;
        let request = self.request(Method::Get, url).header("accept", MANIFEST_TYPES);
        let (url, response) = self.send(fetch, request)?;
        match response.status {
            200 => {}
            status @ (401 | 403 | 404) => return Err(OciError::Missing { what: what(), status }),
            status => return Err(OciError::Status { what: what(), status }),
        }
        let sent_as = response.headers.get("content-type").map(str::to_owned);
        let sent_as = sent_as.as_deref().and_then(|header| header.split(';').next()).map(str::trim);
        let bytes = read_body(&url, response, DOCUMENT_BYTES_MAX as u64)?;
        let says = serde_json::from_slice::<Declared>(&bytes).ok().and_then(|declared| declared.media_type);
        if let (Some(sent_as), Some(says)) = (sent_as, &says)
            && GENERIC_TYPES.iter().all(|generic| sent_as != *generic)
            && sent_as != says
        {
            // What is one thing by its header and another by its text is read differently by the next one.
            return Err(OciError::Malformed(format!(
                "{} is sent as {sent_as}, but says that it is {says}",
                what()
            )));
        }
        let media_type = says.as_deref().or(sent_as).unwrap_or(kind::MANIFEST).to_owned();
        let descriptor = Descriptor::of(&media_type, &bytes);
        match version.parse::<Digest>() {
            Ok(asked) if asked != descriptor.digest => {
                Err(OciError::Differs { what: what(), found: descriptor.digest })
            }
            _ => Ok((descriptor, bytes)),
        }
    }

    /// Fetches a small blob whole and checks its digest.
    ///
    /// # Errors
    ///
    /// When the registry does not have it, or it is not what was asked for.
    pub fn small_blob(&self, fetch: &dyn Fetch, wanted: &Descriptor) -> Result<Vec<u8>, OciError> {
        let what = || format!("{} of {self}", wanted.digest);
        let location = self.blob(&wanted.digest)?;
        let (url, response) = self.send(fetch, location.request())?;
        match response.status {
            200 => {}
            status @ (401 | 403 | 404) => return Err(OciError::Missing { what: what(), status }),
            status => return Err(OciError::Status { what: what(), status }),
        }
        let bytes = read_body(&url, response, wanted.size.min(DOCUMENT_BYTES_MAX as u64))?;
        let mut hasher = Sha256Hasher::new();
        hasher.update(&bytes);
        let found = hasher.finish();
        if found == wanted.digest { Ok(bytes) } else { Err(OciError::Differs { what: what(), found }) }
    }

    /// Names a blob to a download.
    ///
    /// # Errors
    ///
    /// When the repository cannot stand in an address.
    pub fn blob(&self, digest: &Digest) -> Result<RemoteBlob<'_>, OciError> {
        Ok(RemoteBlob { remote: self, url: self.address(&format!("blobs/{digest}"))? })
    }

    /// Sends a request with what proves who asks. If the registry wants more, it is fetched, once.
    fn send(&self, fetch: &dyn Fetch, request: Request) -> Result<(Url, Response), OciError> {
        let first = request.clone().authorized(self.authorization());
        let (url, response) = transmit(fetch, first)?;
        if response.status != 401 || url.origin() != self.base.origin() {
            return Ok((url, response));
        }
        let challenge = response.headers.get("www-authenticate").map(str::to_owned);
        if !self.answer(fetch, challenge.as_deref())? {
            return Ok((url, response));
        }
        Ok(transmit(fetch, request.authorized(self.authorization()))?)
    }

    /// Answers a challenge, and returns whether there is something new to show.
    fn answer(&self, fetch: &dyn Fetch, challenge: Option<&str>) -> Result<bool, OciError> {
        let found = match challenge.and_then(Challenge::parse) {
            Some(Challenge::Basic) => self.credentials.clone(),
            Some(Challenge::Bearer { realm, service }) => {
                Some(self.token(fetch, &realm, service.as_deref())?)
            }
            None => None,
        };
        let new = found.is_some();
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(new)
    }

    /// Asks a realm for a token.
    fn token(
        &self,
        fetch: &dyn Fetch,
        realm: &str,
        service: Option<&str>,
    ) -> Result<Authorization, OciError> {
        let mut url = Url::parse(realm)?;
        if let Some(service) = service {
            url = url.with_query("service", service);
        }
        let actions = match self.scope {
            Scope::Pull => "pull",
            Scope::Push => "pull,push",
        };
        url = url.with_query("scope", &format!("repository:{}:{actions}", self.repository));
        let mut request = self.request(Method::Get, url.clone()).authorized(self.credentials.clone());
        request.hop = Hop::Realm { of: self.base.host().to_owned() };
        // Not followed: whoever may lead the credentials elsewhere could be anyone.
        let response = fetch.send(&request)?;
        if response.status != 200 {
            return Err(OciError::Missing { what: format!("a token for {self}"), status: response.status });
        }
        let bytes = read_body(&url, response, TOKEN_BYTES_MAX)?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|error| OciError::Malformed(format!("the token for {self}: {error}")))?;
        let token = token.token.or(token.access_token).unwrap_or_default();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OciError::Malformed(format!("{} gave no token", url.origin())));
        }
        Ok(Authorization::bearer(&token))
    }

    fn request(&self, method: Method, url: Url) -> Request {
        let mut request = Request::new(method, url);
        request.cancel = self.cancel.clone();
        request
    }

    fn authorization(&self) -> Option<Authorization> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn address(&self, rest: &str) -> Result<Url, OciError> {
        Ok(Url::parse(&format!("{}/v2/{}/{rest}", self.base.origin(), self.repository))?)
    }
}

impl Location for RemoteBlob<'_> {
    fn request(&self) -> Request {
        self.remote.request(Method::Get, self.url.clone()).authorized(self.remote.authorization())
    }

    /// Tokens live for minutes; this gets another one.
    fn renew(&self, fetch: &dyn Fetch) -> Result<(), FetchError> {
        let mut request = self.request();
        request.method = Method::Head;
        match self.remote.send(fetch, Request { authorization: None, ..request }) {
            Ok(_) => Ok(()),
            Err(OciError::Fetch(error)) => Err(error),
            Err(error) => Err(FetchError::new(
                FetchErrorKind::Nonsense,
                self.url.origin().authority(),
                error.to_string(),
            )),
        }
    }
}

/// Sends a request; only those that change nothing are led elsewhere.
fn transmit(fetch: &dyn Fetch, request: Request) -> Result<(Url, Response), FetchError> {
    match request.method {
        Method::Get | Method::Head => follow(fetch, request),
        Method::Post | Method::Put | Method::Patch => {
            let response = fetch.send(&request)?;
            Ok((request.url, response))
        }
    }
}

impl OciError {
    /// Whether an upload failed in a way in which another one may not: the network between broke, or the registry has
    /// lost what it was sent so far.
    pub fn breaks_upload(&self) -> bool {
        match self {
            Self::Fetch(error) => error.kind.retry() == Retry::Safe,
            Self::Status { status, .. } => matches!(status, 404 | 416 | 500 | 502 | 504),
            Self::Missing { .. } | Self::Differs { .. } | Self::Malformed(_) | Self::Reading(_) => false,
        }
    }
}

impl From<UrlError> for OciError {
    fn from(error: UrlError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.base.origin().authority(), self.repository)
    }
}

impl From<FetchError> for OciError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl fmt::Display for OciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => write!(f, "{error}"),
            Self::Missing { what, status } => {
                write!(f, "the registry does not have {what} (status {status})")
            }
            Self::Status { what, status } => write!(f, "{what}: the registry returned status {status}"),
            Self::Differs { what, found } => write!(f, "{what} does not match its digest: it has {found}"),
            Self::Malformed(problem) => f.write_str(problem),
            Self::Reading(_) => f.write_str("a stored file cannot be read"),
        }
    }
}

impl std::error::Error for OciError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fetch(error) => error.source(),
            Self::Reading(error) => Some(error),
            _ => None,
        }
    }
}

const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json";
/// What simple servers say of everything.
const GENERIC_TYPES: [&str; 3] = ["application/json", "application/octet-stream", "text/plain"];
/// Tokens have some kilobytes.
const TOKEN_BYTES_MAX: u64 = 256 << 10;

#[cfg(test)]
mod tests;
