//! A new index from the manifests that a store holds, after the old one was lost.

use stack_seal::digest::Digest;

use super::Store;
use super::error::StoreError;
use super::names::{Entry, Record};
use super::place::{Folder, Place};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest, Role, key, kind};
use crate::name::Name;

impl Store {
    /// Makes an index of all manifests of the store, and returns the names in it; none if there is an index already. What the models were
    /// called is lost: they are called `recovered/` and the beginning of their digest. Signatures stay attached.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or somebody else holds the lock for too long.
    pub fn rebuild_index(&self) -> Result<Vec<Name>, StoreError> {
        let _lock = self.lock_index()?;
        let failed = || StoreError::io("rebuilding index.json");
        if self.folders.stat(&Place::Index).map_err(failed())?.is_some() {
            return Ok(Vec::new());
        }
        let mut index = Index::default();
        let mut names = Vec::new();
        for place in self.folders.list(Folder::Blobs).map_err(failed())? {
            let Place::Blob(digest) = place else { continue };
            let Some((manifest, mut descriptor)) = self.document(&digest) else { continue };
            if let Some(subject) = &manifest.subject {
                descriptor = descriptor.with(key::SUBJECT, subject.digest.to_string());
                index.manifests.push(descriptor);
            } else if is_model(&manifest) {
                let name = recovered(&digest);
                let entry = Entry { name: name.clone(), manifest: descriptor, record: Record::default() };
                index.bind(&name, entry.record.describe(&entry.manifest));
                names.push(name);
            }
        }
        self.replace(&Place::IndexNew, &Place::Index, &index.to_bytes()).map_err(failed())?;
        Ok(names)
    }

    /// Reads a blob that may be a manifest.
    fn document(&self, digest: &Digest) -> Option<(Manifest, Descriptor)> {
        let blob = self.blob(digest).ok().filter(|blob| blob.length <= DOCUMENT_BYTES_MAX as u64)?;
        let mut start = [0; 1];
        std::os::unix::fs::FileExt::read_exact_at(&blob.file, &mut start, 0)
            .ok()
            .filter(|()| start == *b"{")?;
        let bytes = self.read(digest, DOCUMENT_BYTES_MAX).ok()?;
        let manifest = Manifest::parse(&bytes).ok()?;
        let mut descriptor = Descriptor::of(kind::MANIFEST, &bytes);
        descriptor.artifact_type.clone_from(&manifest.artifact_type);
        Some((manifest, descriptor))
    }
}

fn is_model(manifest: &Manifest) -> bool {
    manifest.layers.iter().any(|layer| matches!(layer.role(), Role::Weights | Role::SealedPayload))
}

fn recovered(digest: &Digest) -> Name {
    let name = format!("recovered/{}", &digest.hex()[..NAME_DIGITS]);
    Name::parse(&name).expect("letters and digits are a name")
}

/// As many digits tell the models of any store apart.
const NAME_DIGITS: usize = 12;
