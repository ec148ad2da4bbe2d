//! Models of the store: how one is put there, and how one is found to be loaded.

use stack_seal::digest::Digest;

use crate::manifest::{
    ConfigFacts, DOCUMENT_BYTES_MAX, Descriptor, FilePath, Manifest, Role, key, kind, model_config,
};
use crate::name::Name;
use crate::store::Lease;
use crate::store::{Batch, Blob, Entry, Hashed, Store, StoreError};

/// A model that is ready to be loaded. While it lives, nothing of it is freed.
pub struct StoredModel {
    /// The name and what it means.
    pub entry: Entry,
    /// The manifest.
    pub manifest: Manifest,
    /// Its files, in the order of the manifest.
    pub files: Vec<ModelFile>,
    lease: Option<Lease>,
}

/// A file of a model.
#[derive(Debug)]
pub struct ModelFile {
    /// Its path in the model; where the manifest gives none that is safe, one made of its place in it.
    pub path: FilePath,
    /// What it is to the model.
    pub role: Role,
    /// The BLAKE3 root that the manifest claims for its plain bytes. It decides nothing unless somebody who is trusted
    /// signed it.
    pub blake3: Option<Digest>,
    /// Its bytes.
    pub bytes: FileBytes,
}

/// The bytes of a file of a model.
#[derive(Debug)]
pub enum FileBytes {
    /// As they are.
    Plain(Blob),
    /// Sealed: an age header and its payload.
    Sealed {
        /// The header.
        header: Blob,
        /// The payload.
        payload: Blob,
    },
}

impl StoredModel {
    /// Finds a model, opens its files and takes a lease on them.
    ///
    /// # Errors
    ///
    /// When the store does not have it, or not all of it.
    pub fn open(store: &Store, name: &Name) -> Result<Self, StoreError> {
        let (entry, lease) = store.hold(name)?;
        let manifest = store.manifest(&entry.manifest.digest)?;
        let mut files = Vec::new();
        let mut header = None;
        for (position, layer) in manifest.layers.iter().enumerate() {
            let blob = store.blob(&layer.digest)?;
            if blob.length != layer.size {
                let what = blob.path.display().to_string();
                return Err(StoreError::Length { what, expected: layer.size, found: blob.length });
            }
            let bytes = match (layer.role(), header.take()) {
                (Role::SealedHeader, None) => {
                    header = Some(blob);
                    continue;
                }
                (Role::SealedPayload, Some(header)) => FileBytes::Sealed { header, payload: blob },
                (Role::SealedHeader | Role::SealedPayload, _) | (_, Some(_)) => {
                    return Err(StoreError::missing(format!("one half of a sealed file of {name}")));
                }
                (_, None) => FileBytes::Plain(blob),
            };
            files.push(ModelFile {
                path: layer.file_path().unwrap_or_else(|| FilePath::of_layer(position)),
                role: layer.role(),
                blake3: layer.blake3(),
                bytes,
            });
        }
        if header.is_some() {
            return Err(StoreError::missing(format!("one half of a sealed file of {name}")));
        }
        Ok(Self { entry, manifest, files, lease })
    }

    /// The weights, in the order of their paths: one file, or all shards.
    pub fn weights(&self) -> Vec<&ModelFile> {
        let is_weights = |file: &&ModelFile| matches!(file.role, Role::Weights | Role::SealedPayload);
        let mut weights: Vec<_> = self.files.iter().filter(is_weights).collect();
        weights.sort_by(|a, b| a.path.cmp(&b.path));
        weights
    }

    /// Gives away the lease, for those who keep the files but not the model.
    pub fn into_lease(self) -> Option<Lease> {
        self.lease
    }
}

/// Describes a file of a model whose bytes are in the store.
pub fn describe_file(media_type: &str, path: &FilePath, hashed: &Hashed) -> Descriptor {
    Descriptor::new(media_type, hashed.sha256, hashed.length)
        .with(key::FILE_PATH, path.as_str())
        .with(key::BLAKE3, hashed.blake3.to_string())
}

/// Writes the manifest of a model whose files are in the store, and returns what describes it. It has no name yet.
///
/// # Errors
///
/// When the disk refuses.
pub fn put_model(
    store: &Store,
    lease: &Lease,
    facts: &ConfigFacts,
    files: Vec<Descriptor>,
) -> Result<Descriptor, StoreError> {
    let mut batch = Batch::new(store);
    let descriptor = add_model(&mut batch, lease, facts, files)?;
    batch.finish()?;
    Ok(descriptor)
}

/// Writes the manifest of a model together with other things.
///
/// # Errors
///
/// When the disk refuses.
pub(crate) fn add_model(
    batch: &mut Batch,
    lease: &Lease,
    facts: &ConfigFacts,
    files: Vec<Descriptor>,
) -> Result<Descriptor, StoreError> {
    let digests: Vec<_> = files.iter().map(|file| file.digest).collect();
    lease.add_all(digests.iter().copied())?;
    let config = model_config(facts, &digests);
    batch.put(lease, &config)?;
    let manifest = Manifest::model(Descriptor::of(kind::MODEL_CONFIG, &config), files).to_bytes();
    debug_assert!(manifest.len() <= DOCUMENT_BYTES_MAX, "a model has few files with short paths");
    batch.put(lease, &manifest)?;
    let mut descriptor = Descriptor::of(kind::MANIFEST, &manifest);
    descriptor.artifact_type = Some(kind::MODEL_MANIFEST.to_owned());
    Ok(descriptor)
}
