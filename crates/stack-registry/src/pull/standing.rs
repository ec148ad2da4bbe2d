//! What a name means already, compared with all that was asked for.
//!
//! The same commit is not the same model: another file or quantization of it may be meant, a file of the store may be
//! damaged, and signatures may have come since.

use std::collections::BTreeSet;

use stack_seal::digest::{Algorithm, Digest};

use super::signer::{refuse_changed, signers};
use super::{Pulled, Puller, TransferError, TransferErrorKind, Upstream};
use crate::attached;
use crate::manifest::{Descriptor, Manifest, kind};
use crate::name::Name;
use crate::store::Lease;
use crate::store::{Entry, Rebind, StoreError, hash_file, kept_signers};

impl Puller<'_> {
    /// Tells what the name means already, if that settles the matter.
    pub(super) fn standing(
        &self,
        upstream: &Upstream<'_>,
        name: &Name,
        rebind: Rebind,
        lease: &Lease,
    ) -> Result<Option<Pulled>, TransferError> {
        let entry = match self.store.resolve(name) {
            Ok(entry) => entry,
            Err(StoreError::NotInStore { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(manifest) = self.sound(&entry, rebind)? else { return Ok(None) };
        if is_offered(&entry, &manifest, upstream) {
            return self.with_new_signatures(upstream, entry, &manifest, lease).map(Some);
        }
        match rebind {
            Rebind::Never if !upstream.exact && asks_for_the_same(&entry, &manifest, upstream) => {
                Ok(Some(Pulled::Kept(entry)))
            }
            Rebind::Never => {
                let origin = entry.record.origin.as_deref().unwrap_or("a file of this machine");
                let message = format!("{} already means another model, from {origin}", name.short());
                Err(TransferError::new(TransferErrorKind::NameTaken, message))
            }
            Rebind::Allowed | Rebind::From(_) => Ok(None),
        }
    }

    /// Reads the manifest of a model that is whole. Who asked for an update has every byte read; files that are damaged
    /// are dropped, so that they come again.
    fn sound(&self, entry: &Entry, rebind: Rebind) -> Result<Option<Manifest>, TransferError> {
        let manifest = match self.store.manifest(&entry.manifest.digest) {
            Ok(manifest) => manifest,
            Err(StoreError::Differs { .. } | StoreError::Length { .. } | StoreError::Malformed { .. }) => {
                self.store.drop_damaged(&entry.manifest.digest)?;
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        let mut whole = true;
        for needed in manifest.needs() {
            whole &= self.is_sound(needed, rebind != Rebind::Never)?;
        }
        Ok(whole.then_some(manifest))
    }

    fn is_sound(&self, needed: &Descriptor, read_all: bool) -> Result<bool, TransferError> {
        let blob = match self.store.blob(&needed.digest) {
            Ok(blob) => blob,
            Err(
                StoreError::NotInStore { .. }
                | StoreError::Vanished { .. }
                | StoreError::Length { .. }
                | StoreError::Changed { .. }
                | StoreError::Malformed { .. },
            ) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let differs = || -> Result<bool, TransferError> {
            let hashed = hash_file(&blob.file, &|_| {}).map_err(|error| {
                TransferError::new(
                    TransferErrorKind::Machine,
                    format!("{} cannot be read", blob.path.display()),
                )
                .caused(error)
            })?;
            Ok(hashed.sha256 != needed.digest)
        };
        if blob.length != needed.size || (read_all && differs()?) {
            self.store.drop_damaged(&needed.digest)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Attaches signatures that have come since.
    fn with_new_signatures(
        &self,
        upstream: &Upstream<'_>,
        mut entry: Entry,
        manifest: &Manifest,
        lease: &Lease,
    ) -> Result<Pulled, TransferError> {
        let (index, digest) = (self.store.index()?, &entry.manifest.digest);
        // What is damaged is not known, and comes again.
        let known = attached::whole_bundles(self.store, index.referrers(digest), digest)?;
        let new: Vec<&Vec<u8>> = upstream.bundles.iter().filter(|bundle| !known.contains(bundle)).collect();
        if new.is_empty() {
            return Ok(Pulled::Unchanged(entry));
        }
        for bundle in &new {
            self.store.attach(lease, &entry.manifest, kind::BUNDLE, bundle)?;
        }
        let all: Vec<Vec<u8>> = known.iter().chain(new).cloned().collect();
        let signer = signers(&all, manifest);
        refuse_changed(&entry.name.short(), entry.record.signer.as_deref(), signer.as_deref())?;
        entry.record.signer = kept_signers(entry.record.signer.as_deref(), signer.as_deref());
        self.store.bind(lease, &entry, Rebind::From(entry.manifest.digest))?;
        Ok(Pulled::Named(entry))
    }
}

/// Whether a model is what upstream offers now, file by file.
fn is_offered(entry: &Entry, manifest: &Manifest, upstream: &Upstream<'_>) -> bool {
    if let Some((offered, _)) = &upstream.manifest {
        return offered.digest == entry.manifest.digest;
    }
    let same_state = entry.record.commit.is_some()
        && entry.record.commit == upstream.commit
        && entry.record.origin.as_deref() == Some(upstream.origin.as_str());
    paths(manifest) == offered_paths(upstream)
        && upstream.files.iter().all(|file| {
            let layer = manifest.layers.iter().find(|layer| layer.file_path().as_ref() == Some(&file.path));
            let Some(layer) = layer else { return false };
            let keeps = |promised: &Digest| match promised.algorithm {
                Algorithm::Sha256 => *promised == layer.digest,
                Algorithm::Blake3 => layer.blake3().as_ref() == Some(promised),
            };
            let is_known = file.sha256().is_some() || same_state;
            is_known && layer.size == file.size && file.digests.iter().all(keeps)
        })
}

/// Whether a model was the answer to the same question: the same files of the same source, at another time.
fn asks_for_the_same(entry: &Entry, manifest: &Manifest, upstream: &Upstream<'_>) -> bool {
    let source = |origin: &str| origin.rsplit_once('@').map_or(origin, |(source, _)| source).to_owned();
    entry.record.origin.as_deref().map(source) == Some(source(&upstream.origin))
        && (upstream.manifest.is_some() || paths(manifest) == offered_paths(upstream))
}

fn paths(manifest: &Manifest) -> BTreeSet<String> {
    manifest.layers.iter().filter_map(Descriptor::file_path).map(|path| path.to_string()).collect()
}

fn offered_paths(upstream: &Upstream<'_>) -> BTreeSet<String> {
    upstream.files.iter().map(|file| file.path.to_string()).collect()
}
