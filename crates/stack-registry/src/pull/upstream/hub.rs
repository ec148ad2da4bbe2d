//! A model of a hub.

use stack_seal::statement;

use super::{Upstream, UpstreamFile, key_of};
use crate::download::Fixed;
use crate::fetch::{Cancel, Fetch, Method, Request, follow, read_body};
use crate::hub::{Content, Hub, Repository, TreeFile, Wanted, choose};
use crate::manifest::{ConfigFacts, FileFormat, media_type_of};
use crate::name::Name;
use crate::pull::{Reason, TransferError};

/// Finds out what a repository of a hub offers.
///
/// # Errors
///
/// When the hub does not answer, or holds no such model, or several.
pub fn from_hub(
    fetch: &dyn Fetch,
    hub: &Hub,
    (owner, name): (&str, &str),
    revision: Option<&str>,
    wanted: &Wanted,
    cancel: &Cancel,
) -> Result<Upstream<'static>, TransferError> {
    let repository = Repository::new(hub, owner, name);
    let listing = repository.list(fetch, revision.unwrap_or("main"))?;
    let chosen = choose(&listing.files, wanted)?;
    let request = |file: &TreeFile| -> Result<Request, TransferError> {
        let url = repository.file(&listing.commit, file.path.as_str())?;
        let mut request = Request::new(Method::Get, url).authorized(hub.token.clone());
        request.cancel = cancel.clone();
        Ok(request)
    };
    let mut files = Vec::new();
    for file in &chosen.files {
        let request = request(file)?;
        let (digests, git_blob, key) = match &file.content {
            Content::Sha256(digest) => (vec![*digest], None, *digest),
            Content::GitBlob(id) => (Vec::new(), Some(id.clone()), key_of(&request.url.to_string())),
        };
        files.push(UpstreamFile {
            path: file.path.clone(),
            media_type: media_type_of(&file.path).to_owned(),
            size: file.size,
            digests,
            git_blob,
            key,
            source: Box::new(Fixed(request)),
        });
    }
    let mut bundles = Vec::new();
    for file in &chosen.files {
        let beside = format!("{}.sig", file.path);
        if let Some(bundle) = listing.files.iter().find(|file| file.path.as_str() == beside) {
            let (url, response) = follow(fetch, request(bundle)?)?;
            // It was listed: without it the model would look unsigned.
            if response.status != 200 {
                let message =
                    format!("{beside} is listed, but the server answers with status {}", response.status);
                return Err(TransferError::new(Reason::of_status(response.status), message));
            }
            bundles.push(read_body(&url, response, statement::BYTES_MAX as u64)?);
        }
    }
    let label = chosen.label.clone();
    let format = FileFormat::of_files(chosen.files.iter().map(|file| &file.path));
    Ok(Upstream {
        name: Name::from_upstream(&["hf.co", owner, name], label.as_deref())?,
        origin: format!("{repository}@{}", listing.commit),
        commit: Some(listing.commit),
        manifest: None,
        facts: ConfigFacts { name: Some(format!("{owner}/{name}")), license: None, format },
        files,
        bundles,
    })
}
