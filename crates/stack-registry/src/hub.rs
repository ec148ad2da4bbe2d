//! The Hugging Face hub: what a repository holds at a commit, and where its files are.
//!
//! ```text
//! GET /api/models/OWNER/REPO/revision/REV      → the commit that REV means now
//! GET /api/models/OWNER/REPO/tree/COMMIT       → paths, sizes, and the SHA-256 of every large file
//! GET /OWNER/REPO/resolve/COMMIT/PATH          → the file, behind a redirect to wherever it is stored
//! ```
//!
//! Everything after the first request names the commit, so that a repository that changes meanwhile changes nothing.

mod choose;
mod sums;
mod tree;

use std::fmt;

use serde::Deserialize;

use crate::fetch::{Authorization, Fetch, FetchError, Headers, Method, Request, follow, read_body};
use crate::url::{Url, encode};

pub use choose::{FileSelector, Glob, SelectedFiles, SelectorError, choose, label};
pub(crate) use sums::{SUMS_BYTES_MAX, listed_sum, may_list};
pub use tree::{ContentDigest, ListingError, RepositoryFile, parse_tree};

/// A hub, and who asks it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// `https://huggingface.co`, or a mirror of one's own.
    pub endpoint: Url,
    /// Who asks. It is sent to the endpoint only.
    pub token: Option<Authorization>,
}

/// A repository of a hub.
#[derive(Clone, Debug)]
pub struct Repository<'a> {
    hub: &'a Hub,
    owner: &'a str,
    name: &'a str,
}

/// What a repository holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The commit, in hex.
    pub commit: String,
    /// Its files.
    pub files: Vec<RepositoryFile>,
}

/// A hub that does not tell what it holds.
#[derive(Debug)]
pub enum HubError {
    /// No reply.
    Fetch(FetchError),
    /// There is no such repository, revision or file, or not for whoever asks.
    Missing {
        /// What was asked for.
        what: String,
        /// The hub's own word for it.
        reason: Option<String>,
    },
    /// Another status than success.
    Status {
        /// The status.
        status: u16,
        /// Who sent it.
        host: String,
    },
    /// What came is no listing.
    Malformed(String),
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

impl<'a> Repository<'a> {
    /// Names a repository.
    pub fn new(hub: &'a Hub, owner: &'a str, name: &'a str) -> Self {
        Self { hub, owner, name }
    }

    /// Resolves a revision and lists what it holds.
    ///
    /// # Errors
    ///
    /// When the hub does not answer, has no such revision, or answers nonsense.
    pub fn list(&self, fetch: &dyn Fetch, revision: &str) -> Result<Listing, HubError> {
        let commit = self.commit(fetch, revision)?;
        let mut files = Vec::new();
        let mut next = Some(self.address(&format!("/tree/{commit}?recursive=true"))?);
        for _ in 0..PAGES_MAX {
            let Some(url) = next else {
                return Ok(Listing { commit, files });
            };
            let (page, headers) = self.get(fetch, &url, "the file list")?;
            files.extend(parse_tree(&page).map_err(|error| HubError::Malformed(error.to_string()))?);
            next = next_page(&url, &headers)?;
        }
        Err(HubError::Malformed(format!("{self} has more than {PAGES_MAX} pages in its file list")))
    }

    /// Returns the address of a file.
    ///
    /// # Errors
    ///
    /// When the path cannot stand in an address.
    pub fn file(&self, commit: &str, path: &str) -> Result<Url, HubError> {
        let path = path.split('/').map(encode).collect::<Vec<_>>().join("/");
        let target = format!("/{}/{}/resolve/{commit}/{path}", encode(self.owner), encode(self.name));
        self.hub.at(&target)
    }

    fn commit(&self, fetch: &dyn Fetch, revision: &str) -> Result<String, HubError> {
        let url = self.address(&format!("/revision/{}", encode(revision)))?;
        let (bytes, _) = self.get(fetch, &url, &format!("the revision {revision}"))?;
        let found: Revision = serde_json::from_slice(&bytes)
            .map_err(|error| HubError::Malformed(format!("the revision {revision} of {self}: {error}")))?;
        let sound =
            found.sha.len() == 40 && found.sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if sound { Ok(found.sha) } else { Err(HubError::Malformed(format!("{self} has no commit"))) }
    }

    fn get(&self, fetch: &dyn Fetch, url: &Url, what: &str) -> Result<(Vec<u8>, Headers), HubError> {
        let request = Request::new(Method::Get, url.clone()).authorized(self.hub.token.clone());
        let (url, response) = follow(fetch, request)?;
        match response.status {
            200 => {
                let headers = response.headers.clone();
                Ok((read_body(&url, response, PAGE_BYTES_MAX)?, headers))
            }
            401 | 403 | 404 => Err(HubError::Missing {
                what: format!("{what} of {self}"),
                reason: response.headers.get("x-error-code").map(printable),
            }),
            status => Err(HubError::Status { status, host: url.origin().authority() }),
        }
    }

    fn address(&self, rest: &str) -> Result<Url, HubError> {
        self.hub.at(&format!("/api/models/{}/{}{rest}", encode(self.owner), encode(self.name)))
    }
}

impl Hub {
    /// Returns an address beneath the endpoint, whose own path is kept.
    fn at(&self, target: &str) -> Result<Url, HubError> {
        let base = self.endpoint.to_string();
        Url::parse(&format!("{}{target}", base.trim_end_matches('/')))
            .map_err(|error| HubError::Malformed(error.to_string()))
    }
}

/// Returns the address of the page that follows. It must be the same hub's.
fn next_page(url: &Url, headers: &Headers) -> Result<Option<Url>, HubError> {
    let Some(link) = headers.get("link") else { return Ok(None) };
    let next = link.split(',').find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        rest.contains("rel=\"next\"").then_some(address)
    });
    let Some(next) = next else { return Ok(None) };
    let next = url.join(next).map_err(|error| HubError::Malformed(error.to_string()))?;
    if next.origin() == url.origin() {
        Ok(Some(next))
    } else {
        Err(HubError::Malformed(format!("the file list continues on another host, {}", next.origin())))
    }
}

/// Keeps what a header may say short and harmless.
fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(80).collect()
}

impl fmt::Display for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf://{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => write!(f, "{error}"),
            Self::Missing { what, reason: Some(reason) } => {
                write!(f, "the hub has no access to {what} ({reason})")
            }
            Self::Missing { what, reason: None } => write!(f, "the hub does not have {what}"),
            Self::Status { status, host } => write!(f, "{host} returned status {status}"),
            Self::Malformed(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for HubError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fetch(error) => error.source(),
            _ => None,
        }
    }
}

impl From<FetchError> for HubError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

/// A page has a thousand files at most, and some hundred bytes for each.
const PAGE_BYTES_MAX: u64 = 4 << 20;
/// Repositories with more files than this are no models.
const PAGES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(link: &str) -> Headers {
        Headers::new([("link", link.as_bytes())]).unwrap()
    }

    #[test]
    fn pages_stay_on_the_hub() {
        let url = Url::parse("https://hub.test/api/tree/x").unwrap();
        let next = |link: &str| next_page(&url, &headers(link));
        let two = "<https://hub.test/api/tree/x?cursor=a>; rel=\"next\"";
        assert_eq!(next(two).unwrap().unwrap().target(), "/api/tree/x?cursor=a");
        assert_eq!(next("<https://hub.test/first>; rel=\"first\"").unwrap(), None);
        assert!(next("<https://evil.test/>; rel=\"next\"").is_err());
        assert!(next("<ftp://hub.test/>; rel=\"next\"").is_err());
    }

    #[test]
    fn paths_are_encoded_by_segment() {
        let hub = Hub { endpoint: Url::parse("http://127.0.0.1:5000/mirror/").unwrap(), token: None };
        let url = Repository::new(&hub, "o", "r").file("c0", "a b/ü#.gguf").unwrap();
        assert_eq!(url.to_string(), "http://127.0.0.1:5000/mirror/o/r/resolve/c0/a%20b/%C3%BC%23.gguf");
    }
}
