//! What is attached to a manifest, such as signatures.
//!
//! A registry that does not keep track of it has an index under a tag that is made of the digest; then whoever
//! attaches something must write that index, too.

use stack_seal::digest::Digest;

use super::{OciError, Remote, push_manifest};
use crate::fetch::{Fetch, Method, read_body};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Index, kind};

/// Lists what is attached to a manifest with artifacts of a type.
///
/// # Errors
///
/// When the registry does not answer, or answers nonsense. Nothing attached is no error.
pub fn referrers(
    remote: &Remote,
    fetch: &dyn Fetch,
    subject: &Digest,
    artifact_type: &str,
) -> Result<Vec<Descriptor>, OciError> {
    let url = remote.address(&format!("referrers/{subject}"))?.with_query("artifactType", artifact_type);
    let request = remote.request(Method::Get, url).header("accept", kind::INDEX);
    let (url, response) = remote.send(fetch, request)?;
    let index = match response.status {
        200 => {
            let bytes = read_body(&url, response, DOCUMENT_BYTES_MAX as u64)?;
            Index::parse(&bytes).map_err(|error| OciError::Malformed(error.to_string()))?
        }
        404 => tagged(remote, fetch, subject)?.unwrap_or_default(),
        status => {
            return Err(OciError::Status { what: format!("what refers to {subject} in {remote}"), status });
        }
    };
    let wanted = |entry: &Descriptor| entry.artifact_type.as_deref() == Some(artifact_type);
    Ok(index.manifests.into_iter().filter(wanted).take(REFERRERS_MAX).collect())
}

/// Writes a manifest that refers to `subject`, and lists it under the fallback tag if the registry does not list it
/// itself.
///
/// # Errors
///
/// When the registry refuses.
pub fn attach_referrer(
    remote: &Remote,
    fetch: &dyn Fetch,
    subject: &Digest,
    referrer: &Descriptor,
    bytes: Vec<u8>,
) -> Result<(), OciError> {
    if push_manifest(remote, fetch, &referrer.digest.to_string(), &referrer.media_type, bytes)? {
        return Ok(());
    }
    let mut index = tagged(remote, fetch, subject)?.unwrap_or_default();
    if index.manifests.iter().all(|entry| entry.digest != referrer.digest) {
        index.manifests.push(referrer.clone());
        push_manifest(remote, fetch, &fallback_tag(subject), kind::INDEX, index.to_bytes())?;
    }
    Ok(())
}

fn tagged(remote: &Remote, fetch: &dyn Fetch, subject: &Digest) -> Result<Option<Index>, OciError> {
    match remote.manifest(fetch, &fallback_tag(subject)) {
        Ok((_, bytes)) => {
            Index::parse(&bytes).map(Some).map_err(|error| OciError::Malformed(error.to_string()))
        }
        Err(OciError::Missing { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn fallback_tag(subject: &Digest) -> String {
    subject.to_string().replace(':', "-")
}

/// More signatures than anybody gives.
const REFERRERS_MAX: usize = 64;
