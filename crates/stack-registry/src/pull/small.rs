//! Small files, for which a hub has a git blob id and seldom a digest.

use stack_seal::digest::GitBlobHasher;

use super::{Puller, TransferError, TransferErrorKind, UpstreamFile, described};
use crate::fetch::{RetryFetch, follow, read_body};
use crate::manifest::Descriptor;
use crate::progress::Progress;
use crate::store::{Hashed, Lease};

impl Puller<'_> {
    /// Fetches a small file whole.
    pub(super) fn fetch_small(
        &self,
        file: &UpstreamFile<'_>,
        lease: &Lease,
    ) -> Result<Descriptor, TransferError> {
        let path = file.path.as_str();
        let (url, response) = follow(&RetryFetch::new(self.fetch, self.seed), file.location.request())?;
        if response.status != 200 {
            let message = format!("{path}: the server answers with status {}", response.status);
            return Err(TransferError::new(TransferErrorKind::of_status(response.status), message));
        }
        let bytes = read_body(&url, response, file.size)?;
        let hashed = Hashed::of(&bytes);
        file.expected().check(path, &hashed)?;
        let mut hasher = GitBlobHasher::new(file.size);
        hasher.update(&bytes);
        if file.git_blob.as_ref().is_some_and(|expected| *expected != hasher.finish()) {
            let message = format!("{path} is not what the hub lists");
            return Err(TransferError::new(TransferErrorKind::DigestMismatch, message));
        }
        self.store.put(lease, &bytes)?;
        (self.watch)(Progress::Finished { file: path, total: file.size });
        Ok(described(file, &hashed))
    }
}
