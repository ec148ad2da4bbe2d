//! Into a registry.

use std::io::Read;

use stack_seal::digest::Digest;

use super::{OciError, Remote};
use crate::fetch::{Fetch, Hop, Method, Request, Response, Retry};
use crate::manifest::Descriptor;
use crate::url::Url;

/// What became of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The registry had it.
    Present,
    /// It was sent.
    Sent,
}

/// Sends a blob unless the registry has it. `open` gives its bytes; `sent` is told how many are through.
///
/// Small blobs go in one piece, large ones in chunks.
///
/// # Errors
///
/// When the registry refuses, or the bytes end early.
pub fn push_blob(
    remote: &Remote,
    fetch: &dyn Fetch,
    blob: &Descriptor,
    open: impl FnOnce() -> std::io::Result<Box<dyn Read>>,
    sent: &dyn Fn(u64),
) -> Result<Pushed, OciError> {
    if has_blob(remote, fetch, &blob.digest)? {
        return Ok(Pushed::Present);
    }
    let mut reader = open().map_err(OciError::Reading)?;
    let mut location = begin(remote, fetch)?;
    let mut at = 0;
    while blob.size - at > CHUNK_BYTES {
        let bytes = read_exactly(&mut reader, CHUNK_BYTES)?;
        location = send_chunk(remote, fetch, &location, at, bytes)?;
        at += CHUNK_BYTES;
        sent(at);
    }
    let rest = read_exactly(&mut reader, blob.size - at)?;
    if at > 0 && !rest.is_empty() {
        location = send_chunk(remote, fetch, &location, at, rest)?;
        finish(remote, fetch, &location, &blob.digest, Vec::new())?;
    } else {
        finish(remote, fetch, &location, &blob.digest, rest)?;
    }
    sent(blob.size);
    Ok(Pushed::Sent)
}

/// Writes a manifest, under a tag or its digest. Returns whether the registry keeps track of what it refers to.
///
/// # Errors
///
/// When the registry refuses.
pub fn push_manifest(
    remote: &Remote,
    fetch: &dyn Fetch,
    version: &str,
    media_type: &str,
    bytes: Vec<u8>,
) -> Result<bool, OciError> {
    let url = remote.address(&format!("manifests/{version}"))?;
    let mut request = remote.request(Method::Put, url).header("content-type", media_type);
    request.body = bytes;
    // The same bytes under the same name are the same manifest.
    request.retry = Retry::Safe;
    let (_, response) = remote.send(fetch, request)?;
    expect(&response, &[201], || format!("writing {remote}:{version}"))?;
    Ok(response.headers.get("oci-subject").is_some())
}

fn has_blob(remote: &Remote, fetch: &dyn Fetch, digest: &Digest) -> Result<bool, OciError> {
    let request = remote.request(Method::Head, remote.address(&format!("blobs/{digest}"))?);
    let (_, response) = remote.send(fetch, request)?;
    match response.status {
        200 => Ok(true),
        404 => Ok(false),
        status => Err(OciError::Status { what: format!("looking for {digest} in {remote}"), status }),
    }
}

fn begin(remote: &Remote, fetch: &dyn Fetch) -> Result<Url, OciError> {
    let request = remote.request(Method::Post, remote.address("blobs/uploads/")?);
    let (url, response) = remote.send(fetch, request)?;
    expect(&response, &[202], || format!("beginning an upload to {remote}"))?;
    location(remote, &url, &response)
}

fn send_chunk(
    remote: &Remote,
    fetch: &dyn Fetch,
    url: &Url,
    at: u64,
    bytes: Vec<u8>,
) -> Result<Url, OciError> {
    let end = at + bytes.len() as u64 - 1;
    let mut request = upload(remote, Method::Patch, url.clone());
    request = request.header("content-range", format!("{at}-{end}"));
    request.body = bytes;
    let (url, response) = remote.send(fetch, request)?;
    expect(&response, &[202], || format!("sending bytes {at}-{end} to {remote}"))?;
    location(remote, &url, &response)
}

fn finish(
    remote: &Remote,
    fetch: &dyn Fetch,
    url: &Url,
    digest: &Digest,
    bytes: Vec<u8>,
) -> Result<(), OciError> {
    let mut request = upload(remote, Method::Put, url.with_query("digest", &digest.to_string()));
    request.body = bytes;
    let (_, response) = remote.send(fetch, request)?;
    expect(&response, &[201], || format!("sending {digest} to {remote}"))
}

fn upload(remote: &Remote, method: Method, url: Url) -> Request {
    let mut request = remote.request(method, url).header("content-type", "application/octet-stream");
    request.hop = Hop::Led;
    request
}

/// Returns where an upload goes on. It must be the same registry's, which alone is shown the token.
fn location(remote: &Remote, url: &Url, response: &Response) -> Result<Url, OciError> {
    let location = response.headers.get("location").unwrap_or_default();
    let next = url.join(location)?;
    if !location.is_empty() && next.origin() == remote.base.origin() {
        Ok(next)
    } else {
        Err(OciError::Malformed(format!("{remote} redirects the upload to {:?}", next.without_query())))
    }
}

fn expect(response: &Response, expected: &[u16], what: impl Fn() -> String) -> Result<(), OciError> {
    match response.status {
        status if expected.contains(&status) => Ok(()),
        status @ (401 | 403) => Err(OciError::Missing { what: what(), status }),
        status => Err(OciError::Status { what: what(), status }),
    }
}

fn read_exactly(reader: &mut dyn Read, count: u64) -> Result<Vec<u8>, OciError> {
    let mut bytes = Vec::new();
    reader.take(count).read_to_end(&mut bytes).map_err(OciError::Reading)?;
    if bytes.len() as u64 == count {
        Ok(bytes)
    } else {
        Err(OciError::Reading(std::io::ErrorKind::UnexpectedEof.into()))
    }
}

/// What is sent at once.
const CHUNK_BYTES: u64 = 16 << 20;
