//! One file at an address.

use super::{Upstream, UpstreamFile, key_of};
use crate::fetch::{Cancel, Fetch, Headers, Method, Request, Response, follow};
use crate::manifest::{ConfigFacts, FileFormat, FilePath, SIZE_MAX, media_type_of};
use crate::name::Name;
use crate::pull::{TransferError, TransferErrorKind};
use crate::scheduler::ContentRange;
use crate::url::Url;

/// Finds out what lies at an address.
///
/// Unless the server names a digest (as hubs do), nobody vouches for the bytes: what comes is pinned.
///
/// # Errors
///
/// When there is nothing, or the server does not say how long it is.
pub fn from_address(
    fetch: &dyn Fetch,
    text: &str,
    cancel: &Cancel,
) -> Result<Upstream<'static>, TransferError> {
    let url = Url::parse(text)
        .map_err(|error| TransferError::new(TransferErrorKind::BadName, error.to_string()))?;
    let mut request = Request::new(Method::Get, url.clone());
    request.cancel = cancel.clone();
    let (first, last) = look(fetch, &request)?;
    let linked = first.get("x-linked-etag").map(|etag| etag.trim_matches('"'));
    let digest = linked.and_then(|hex| format!("sha256:{hex}").parse().ok());
    let size = length(&last).filter(|&size| size <= SIZE_MAX);
    let size = size.ok_or_else(|| {
        TransferError::new(
            TransferErrorKind::BadAnswer,
            format!("{} does not say how many bytes it has", url.without_query()),
        )
    })?;
    let file_name = url.without_query().rsplit('/').next().unwrap_or_default().to_owned();
    let path = FilePath::parse(&file_name).or_else(|_| FilePath::parse("model"));
    let path = path.map_err(|error| TransferError::new(TransferErrorKind::BadName, error.to_string()))?;
    let stem = file_name.rsplit_once('.').map_or(file_name.as_str(), |(stem, _)| stem);
    let mut file = UpstreamFile {
        media_type: media_type_of(&path).to_owned(),
        size,
        digests: Vec::new(),
        git_blob: None,
        key: key_of(text),
        location: Box::new(request),
        path,
    };
    digest.into_iter().for_each(|digest| file.promise(digest));
    let name = if stem.is_empty() { "model" } else { stem };
    Ok(Upstream {
        name: Name::from_upstream(&[&url.origin().authority(), name], None)?,
        origin: url.without_query(),
        commit: digest
            .map(|digest| digest.to_string())
            .or_else(|| last.headers.get("etag").map(str::to_owned)),
        exact: false,
        manifest: None,
        facts: ConfigFacts { format: FileFormat::of_files([&file.path]), ..ConfigFacts::default() },
        files: vec![file],
        bundles: Vec::new(),
        passed_over: Vec::new(),
    })
}

/// Asks for the headers: those of the address itself, and those of where it leads.
fn look(fetch: &dyn Fetch, request: &Request) -> Result<(Headers, Response), TransferError> {
    let head = Request { method: Method::Head, ..request.clone() };
    let first = fetch.send(&head)?.headers;
    let (url, response) = follow(fetch, head)?;
    let response = match response.status {
        // Addresses that are signed for GET, and simple servers, know no HEAD.
        403 | 405 | 501 => follow(fetch, request.clone().header("range", "bytes=0-0"))?.1,
        _ => response,
    };
    match response.status {
        200 | 206 => Ok((first, response)),
        status @ (401 | 403 | 404 | 410) => {
            let message = format!("{} does not give it (status {status})", url.without_query());
            Err(TransferError::new(TransferErrorKind::Upstream404, message))
        }
        status => {
            let message = format!("{} answers with status {status}", url.origin());
            Err(TransferError::new(TransferErrorKind::of_status(status), message))
        }
    }
}

fn length(response: &Response) -> Option<u64> {
    match response.status {
        206 => ContentRange::parse(response.headers.get("content-range")?)?.total,
        _ => response.headers.content_length(),
    }
}
