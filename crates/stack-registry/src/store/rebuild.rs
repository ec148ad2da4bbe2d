//! An index that serves again: entries that lead nowhere are dropped, and what was lost is made anew from the manifests
//! that the store holds.

use stack_seal::digest::Digest;

use super::Store;
use super::error::StoreError;
use super::names::{Entry, Record};
use super::place::{Folder, StoreFile};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest, Role, key, kind};
use crate::name::Name;

impl Store {
    /// Repairs the index.
    ///
    /// Entries without a name whose manifests are not there or damaged are dropped: nobody could bring them back, and
    /// `gc` would stop at them. The others say what their manifests say. Names stay, for a pull or an import finds them.
    ///
    /// An index that is lost or malformed is made anew, and the malformed one is kept aside; what its models were called
    /// is lost, too: they are called `recovered/` and the beginning of their digest, and these names are returned.
    /// Signatures stay attached.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or somebody else holds the lock for too long.
    pub fn repair_index(&self) -> Result<Vec<Name>, StoreError> {
        let _lock = self.lock_index()?;
        let failed = || StoreError::io("rebuilding index.json");
        let (index, names) = match self.index() {
            Ok(before) => {
                let mut index = before.clone();
                index.manifests.retain_mut(|entry| self.mends(entry));
                if index == before {
                    return Ok(Vec::new());
                }
                (index, Vec::new())
            }
            Err(StoreError::NoIndex { .. }) => self.recovered_index()?,
            Err(StoreError::Malformed { .. }) => {
                // Somebody may still mend it by hand.
                self.disk.rename(&StoreFile::Index, &StoreFile::IndexDamaged).map_err(failed())?;
                self.recovered_index()?
            }
            Err(error) => return Err(error),
        };
        self.replace(&StoreFile::IndexNew, &StoreFile::Index, &index.to_bytes()).map_err(failed())?;
        Ok(names)
    }

    /// Keeps an entry that has a name; one without must lead to a manifest, which says itself what it refers to.
    fn mends(&self, entry: &mut Descriptor) -> bool {
        if entry.annotations.get(key::REF_NAME).is_some() {
            return true;
        }
        match self.manifest(&entry.digest) {
            Ok(Manifest { subject: Some(subject), artifact_type, .. }) => {
                entry.annotations.set(key::SUBJECT, subject.digest.to_string());
                entry.artifact_type = artifact_type;
                true
            }
            // A disk that fails now may not fail the next time.
            Ok(_) | Err(StoreError::Io { .. }) => true,
            Err(_) => entry.media_type == kind::INDEX && self.has(&entry.digest).unwrap_or(true),
        }
    }

    /// Makes an index of all manifests.
    fn recovered_index(&self) -> Result<(Index, Vec<Name>), StoreError> {
        let mut index = Index::default();
        let mut names = Vec::new();
        for place in self.folders.list(Folder::Blobs).map_err(StoreError::io("listing the store"))? {
            let StoreFile::Blob(digest) = place else { continue };
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
        Ok((index, names))
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
