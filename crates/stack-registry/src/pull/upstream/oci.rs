//! A model of an OCI registry.

use stack_seal::digest::Digest;
use stack_seal::statement;

use super::{Upstream, UpstreamFile};
use crate::fetch::{Fetch, FetchErrorKind};
use crate::manifest::{ConfigFacts, FilePath, Index, Manifest, Role, kind};
use crate::name::Name;
use crate::oci::{OciError, Remote, referrers};
use crate::pull::{TransferError, TransferErrorKind};

/// Finds out what a repository of a registry offers under a tag or digest.
///
/// `ModelPack` artifacts, and those of Docker and Ollama, are read; archives are not.
///
/// # Errors
///
/// When the registry does not answer, has no such thing, or it is no model.
pub fn from_registry<'a>(
    fetch: &dyn Fetch,
    remote: &'a Remote,
    (host, repository, version): (&str, &str, &str),
) -> Result<Upstream<'a>, TransferError> {
    let (mut descriptor, mut bytes) = remote.manifest(fetch, version)?;
    if descriptor.media_type == kind::INDEX {
        let index = Index::parse(&bytes)?;
        let [only] = index.manifests.as_slice() else {
            let message =
                format!("{remote}:{version} holds {} manifests; name one by digest", index.manifests.len());
            return Err(TransferError::new(TransferErrorKind::AmbiguousQuant, message));
        };
        (descriptor, bytes) = remote.manifest(fetch, &only.digest.to_string())?;
    }
    let manifest = Manifest::parse(&bytes)?;
    descriptor.artifact_type.clone_from(&manifest.artifact_type);
    let mut files = Vec::new();
    for (index, layer) in manifest.layers.iter().enumerate() {
        if layer.role() == Role::Archive {
            let message =
                format!("{remote}:{version} holds an archive ({}), which is not unpacked", layer.media_type);
            return Err(TransferError::new(TransferErrorKind::BadAnswer, message));
        }
        let path = layer.file_path().unwrap_or_else(|| default_path(layer.role(), index));
        files.push(file(remote, layer, path)?);
    }
    if !manifest.layers.iter().any(|layer| matches!(layer.role(), Role::Weights | Role::SealedPayload)) {
        return Err(TransferError::new(
            TransferErrorKind::BadAnswer,
            format!("{remote}:{version} holds no weights"),
        ));
    }
    let config = FilePath::parse("config")
        .map_err(|error| TransferError::new(TransferErrorKind::BadName, error.to_string()))?;
    files.push(file(remote, &manifest.config, config)?);
    let (mut bundles, mut passed_over) = (Vec::new(), Vec::new());
    for entry in referrers(remote, fetch, &descriptor.digest, kind::BUNDLE)? {
        match bundle(remote, fetch, &entry.digest, &descriptor.digest) {
            Ok(bundle) => bundles.extend(bundle),
            Err(error) if says_nothing(&error) => {
                passed_over.push(format!("what is attached as {} is passed over: {error}", entry.digest));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let tag = Some(version).filter(|version| !version.contains(':'));
    Ok(Upstream {
        name: Name::from_upstream(&[host].into_iter().chain(repository.split('/')).collect::<Vec<_>>(), tag)?,
        origin: format!("{remote}@{}", descriptor.digest),
        commit: Some(descriptor.digest.to_string()),
        exact: tag.is_none(),
        manifest: Some((descriptor, bytes)),
        facts: ConfigFacts::default(),
        files,
        bundles,
        passed_over,
    })
}

/// Fetches the signature that a referrer holds, if it is one about this subject.
fn bundle(
    remote: &Remote,
    fetch: &dyn Fetch,
    referrer: &Digest,
    subject: &Digest,
) -> Result<Option<Vec<u8>>, OciError> {
    let (_, bytes) = remote.manifest(fetch, &referrer.to_string())?;
    let referrer = Manifest::parse(&bytes).map_err(|error| OciError::Malformed(error.to_string()))?;
    let about = referrer.subject.as_ref().is_some_and(|known| known.digest == *subject);
    let layer = referrer.layers.first().filter(|layer| about && layer.role() == Role::Bundle);
    let Some(layer) = layer else { return Ok(None) };
    if layer.size > statement::BYTES_MAX as u64 {
        let (size, max) = (layer.size, statement::BYTES_MAX);
        return Err(OciError::Malformed(format!("it has {size} bytes, and signatures have {max} at most")));
    }
    remote.small_blob(fetch, layer).map(Some)
}

/// Whether a referrer that fails in this way can be passed over. Anybody who may attach something may attach what is no
/// signature; it says nothing about the others. A registry that fails, or wants to know who asks, is another matter:
/// without a signature that it lists, the model would look unsigned.
fn says_nothing(error: &OciError) -> bool {
    match error {
        OciError::Missing { status, .. } => *status == 404,
        OciError::Differs { .. } | OciError::Malformed(_) => true,
        OciError::Fetch(error) => matches!(error.kind, FetchErrorKind::Nonsense),
        OciError::Status { .. } | OciError::Reading(_) => false,
    }
}

fn file<'a>(
    remote: &'a Remote,
    layer: &crate::manifest::Descriptor,
    path: FilePath,
) -> Result<UpstreamFile<'a>, OciError> {
    let mut digests = vec![layer.digest];
    digests.extend(layer.blob_blake3());
    Ok(UpstreamFile {
        path,
        media_type: layer.media_type.clone(),
        size: layer.size,
        digests,
        git_blob: None,
        key: layer.digest,
        location: Box::new(remote.blob(&layer.digest)?),
    })
}

/// Names a file of an artifact that does not.
fn default_path(role: Role, index: usize) -> FilePath {
    let name = match role {
        Role::Weights => format!("model-{index}.gguf"),
        _ => format!("file-{index}"),
    };
    FilePath::parse(&name).expect("letters, a number and a dot are a path")
}
