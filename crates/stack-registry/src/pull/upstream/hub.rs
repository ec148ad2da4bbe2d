//! A model of a hub.

use stack_seal::statement;

use super::{Upstream, UpstreamFile, key_of};
use crate::fetch::{Cancel, Fetch, Method, Request, follow, read_body};
use crate::hub::{
    ContentDigest, FileSelector, Hub, Repository, RepositoryFile, SUMS_BYTES_MAX, choose, listed_sum,
    may_list,
};
use crate::manifest::{ConfigFacts, FileFormat, FilePath, media_type_of};
use crate::name::Name;
use crate::pull::{TransferError, TransferErrorKind};

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
    wanted: &FileSelector,
    cancel: &Cancel,
) -> Result<Upstream<'static>, TransferError> {
    let repository = Repository::new(hub, owner, name);
    let listing = repository.list(fetch, revision.unwrap_or("main"))?;
    let chosen = choose(&listing.files, wanted)?;
    let request = |file: &RepositoryFile| -> Result<Request, TransferError> {
        let url = repository.file(&listing.commit, file.path.as_str())?;
        let mut request = Request::new(Method::Get, url).authorized(hub.token.clone());
        request.cancel = cancel.clone();
        Ok(request)
    };
    let mut files = Vec::new();
    for file in &chosen.files {
        let request = request(file)?;
        let (digests, git_blob, key) = match &file.content {
            ContentDigest::Sha256(digest) => (vec![*digest], None, *digest),
            ContentDigest::GitBlob(id) => (Vec::new(), Some(id.clone()), key_of(&request.url.to_string())),
        };
        files.push(UpstreamFile {
            path: file.path.clone(),
            media_type: media_type_of(&file.path).to_owned(),
            size: file.size,
            digests,
            git_blob,
            key,
            location: Box::new(request),
        });
    }
    // What is listed must come: without its signature a model would look unsigned.
    let read = |file: &RepositoryFile, bytes_max: u64| -> Result<Vec<u8>, TransferError> {
        let (url, response) = follow(fetch, request(file)?)?;
        if response.status != 200 {
            let message =
                format!("{} is listed, but the server answers with status {}", file.path, response.status);
            return Err(TransferError::new(TransferErrorKind::of_status(response.status), message));
        }
        Ok(read_body(&url, response, bytes_max)?)
    };
    let mut bundles = Vec::new();
    for file in &chosen.files {
        let beside = format!("{}.sig", file.path);
        if let Some(bundle) = listing.files.iter().find(|file| file.path.as_str() == beside) {
            bundles.push(read(bundle, statement::BYTES_MAX as u64)?);
        }
    }
    let mut promisers = vec![None; files.len()];
    for sums in &listing.files {
        let listed = files.iter_mut().zip(&mut promisers);
        let mut listed = listed.filter(|(file, _)| may_list(sums, &file.path)).peekable();
        if listed.peek().is_some() {
            let text = read(sums, SUMS_BYTES_MAX)?;
            let text = String::from_utf8_lossy(&text);
            listed.try_for_each(|(file, by)| promise_sum(file, by, &text, &sums.path))?;
        }
    }
    let label = chosen.label.clone();
    let format = FileFormat::of_files(chosen.files.iter().map(|file| &file.path));
    Ok(Upstream {
        name: Name::from_upstream(&["hf.co", owner, name], label.as_deref())?,
        origin: format!("{repository}@{}", listing.commit),
        commit: Some(listing.commit),
        exact: revision.is_some(),
        manifest: None,
        facts: ConfigFacts { name: Some(format!("{owner}/{name}")), license: None, format },
        files,
        bundles,
        passed_over: Vec::new(),
    })
}

/// Adds what a sums file says of a file to what was promised before, by the hub or by the sums file `by`; all must agree.
fn promise_sum<'a>(
    file: &mut UpstreamFile<'_>,
    by: &mut Option<&'a FilePath>,
    text: &str,
    sums: &'a FilePath,
) -> Result<(), TransferError> {
    let Some(digest) = listed_sum(text, sums, &file.path) else { return Ok(()) };
    match file.sha256() {
        None => *by = Some(sums),
        Some(promised) if *promised == digest => {}
        Some(promised) => {
            let by = by.map_or("the hub", FilePath::as_str);
            let message =
                format!("{sums} says that {} has {digest}, and {by} that it has {promised}", file.path);
            return Err(TransferError::new(TransferErrorKind::DigestMismatch, message));
        }
    }
    file.promise(digest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;

    /// Who promised what is told as it is, so that whoever looks for the mistake looks at the right file.
    #[test]
    fn whoever_contradicts_is_named_with_whom() {
        let path = |text| FilePath::parse(text).unwrap();
        let url = Url::parse("https://a.test/m.gguf").unwrap();
        let mut file = UpstreamFile {
            path: path("m.gguf"),
            media_type: String::new(),
            size: 1,
            digests: Vec::new(),
            git_blob: None,
            key: key_of("m"),
            location: Box::new(Request::new(Method::Get, url)),
        };
        let (one, other) = ("11".repeat(32), "22".repeat(32));
        let (list, alone) = (path("SHA256SUMS"), path("m.gguf.sha256"));
        let mut by = None;
        promise_sum(&mut file, &mut by, &format!("{one}  m.gguf\n"), &list).unwrap();
        promise_sum(&mut file, &mut by, &one, &alone).unwrap();
        let error = promise_sum(&mut file, &mut by, &other, &alone).unwrap_err();
        let expected = format!(
            "m.gguf.sha256 says that m.gguf has sha256:{other}, and SHA256SUMS that it has sha256:{one}"
        );
        assert_eq!(error.message, expected);
        let error = promise_sum(&mut file, &mut None, &other, &alone).unwrap_err();
        assert!(error.message.contains("and the hub that it has"), "{}", error.message);
    }
}
