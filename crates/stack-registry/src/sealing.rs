//! Models whose weights are sealed: how the layers of a name are exchanged for sealed ones, or get other headers.
//!
//! The name means the old layers until all new ones are there, and then the new ones. What is attached to the model,
//! such as signatures, goes with it: a signature is over the plain bytes, which stay the same.

use std::error::Error;
use std::fmt;
use std::fs::File;

use stack_seal::age::{
    Header, OpenError, Progress, Random, Recipients, Sealing, UnlockedFile, X25519Recipient,
};
use stack_seal::digest::{Algorithm, Digest, HashedFile, Root};

use crate::manifest::{Descriptor, key, kind};
use crate::model::StoredModel;
use crate::store::Lease;
use crate::store::{BeginOutcome, Entry, ExpectedBlob, Rebind, Record, Store, StoreError, hash_file};

/// New layers for a model, which come one by one in the order of the old ones.
pub struct LayersBuilder<'a> {
    store: &'a Store,
    model: &'a StoredModel,
    lease: Lease,
    layers: Vec<Descriptor>,
}

/// How sealing is done.
pub struct SealingOptions<'a> {
    /// Threads.
    pub workers: usize,
    /// The source of keys and nonces.
    pub random: &'a mut Random<'a>,
    /// Is told how many plain bytes are done.
    pub progress: &'a Progress<'a>,
}

/// Why a model does not get its new layers.
#[derive(Debug)]
pub enum SealingError {
    /// The store fails, or has other bytes than it should.
    Store(StoreError),
    /// What is sealed does not open.
    Open(OpenError),
}

impl<'a> LayersBuilder<'a> {
    /// Begins with none.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn new(store: &'a Store, model: &'a StoredModel) -> Result<Self, StoreError> {
        Ok(Self { store, model, lease: store.lease()?, layers: Vec::new() })
    }

    /// Takes over a layer as it is.
    pub fn keep(&mut self, layer: &Descriptor) {
        self.layers.push(layer.clone());
    }

    /// Seals a layer of plain bytes and returns what they were. They must be what the layer says.
    ///
    /// # Errors
    ///
    /// When the layer is not what it should be, the disk refuses, or `progress` wants no more.
    pub fn seal(
        &mut self,
        layer: &Descriptor,
        recipients: &Recipients,
        options: &mut SealingOptions<'_>,
    ) -> Result<HashedFile, StoreError> {
        let blob = self.store.blob(&layer.digest)?;
        let reading = || StoreError::io(format!("sealing {}", layer.digest));
        let root = match layer.blake3().and_then(|digest| Root::try_from(digest).ok()) {
            Some(root) => root,
            None => plain_root(&blob.file, &layer.digest)?,
        };
        let sealing = Sealing::new(recipients, options.random);
        self.header(layer, sealing.header(), keys_of(recipients).as_deref())?;
        let (workers, progress) = (options.workers, options.progress);
        let write = |file| sealing.write_payload(&blob.file, file, workers, progress).map_err(reading());
        self.payload(layer, Some(root), options.random, write)
    }

    /// Seals anew what a sealed layer holds.
    ///
    /// # Errors
    ///
    /// When it does not open, is not what the layer says, the disk refuses, or `progress` wants no more.
    pub fn seal_anew(
        &mut self,
        payload: &Descriptor,
        unlocked: &UnlockedFile,
        recipients: &Recipients,
        options: &mut SealingOptions<'_>,
    ) -> Result<HashedFile, SealingError> {
        let root = payload.blake3().and_then(|digest| Root::try_from(digest).ok());
        let sealing = Sealing::new(recipients, options.random);
        self.header(payload, sealing.header(), keys_of(recipients).as_deref())?;
        let (workers, progress) = (options.workers, options.progress);
        let write =
            |file| sealing.rewrite_payload(unlocked, file, workers, progress).map_err(SealingError::Open);
        self.payload(payload, root, options.random, write)
    }

    /// Adds the header of the sealed file that `layer` describes the plain or sealed form of, and notes whom it is for.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn header(
        &mut self,
        layer: &Descriptor,
        header: &Header,
        recipients: Option<&[X25519Recipient]>,
    ) -> Result<(), StoreError> {
        let bytes = header.to_bytes();
        self.store.put(&self.lease, &bytes)?;
        let mut descriptor = Descriptor::of(kind::SEALED_HEADER, &bytes);
        name_after(&mut descriptor, layer);
        if let Some(recipients) = recipients {
            let names: Vec<_> = recipients.iter().map(ToString::to_string).collect();
            descriptor.annotations.set(key::RECIPIENTS, names.join(" "));
        }
        self.layers.push(descriptor);
        Ok(())
    }

    /// Writes a payload and adds it.
    fn payload<E: From<StoreError>>(
        &mut self,
        layer: &Descriptor,
        root: Option<Root>,
        random: &mut Random<'_>,
        write: impl FnOnce(File) -> Result<HashedFile, E>,
    ) -> Result<HashedFile, E> {
        // Nobody knows the digest of what was never written before.
        let mut name = Digest { algorithm: Algorithm::Sha256, bytes: [0; 32] };
        random(&mut name.bytes);
        let BeginOutcome::Mine(part) = self.store.begin(&name)? else {
            return Err(StoreError::missing("a random number that nobody else uses").into());
        };
        let written = part.fill(write).and_then(|plain| match root {
            Some(root) if root != plain.root => {
                let what = format!("the plain file of {}", self.model.entry.name.short());
                Err(StoreError::Differs { what, expected: root.into(), found: plain.root.into() }.into())
            }
            _ => Ok(plain),
        });
        let plain = match written {
            Ok(plain) => plain,
            Err(error) => {
                // The first error is the one to tell; `gc` finds what stays.
                let _stays = part.discard();
                return Err(error);
            }
        };
        let sealed = part.publish(&ExpectedBlob::default(), &|_| {})?;
        self.lease.add(&sealed.sha256)?;
        let root: Digest = plain.root.into();
        let mut descriptor = Descriptor::new(kind::SEALED_PAYLOAD, sealed.sha256, sealed.length)
            .with(key::BLAKE3, root.to_string());
        name_after(&mut descriptor, layer);
        self.layers.push(descriptor);
        Ok(plain)
    }

    /// Lets the name mean the new layers, with all that was attached to the old ones. `record` says how it came about.
    ///
    /// The old ones are still there; [`crate::gc::release`] frees them once nobody uses them.
    ///
    /// # Errors
    ///
    /// When the name means something else by now, or the disk refuses.
    pub fn finish(self, record: Record) -> Result<Entry, StoreError> {
        let Entry { name, manifest: old, .. } = &self.model.entry;
        let mut manifest = self.model.manifest.clone();
        manifest.layers = self.layers;
        let bytes = manifest.to_bytes();
        self.store.put(&self.lease, &bytes)?;
        let mut new = Descriptor::of(&old.media_type, &bytes);
        new.artifact_type.clone_from(&old.artifact_type);
        for artifact_type in [kind::BUNDLE, kind::LEAVES] {
            for referrer in self.store.referrers(&old.digest, artifact_type)? {
                for layer in &referrer.manifest.layers {
                    let bytes = self.store.read(&layer.digest, ATTACHED_BYTES_MAX)?;
                    self.store.attach(&self.lease, &new, artifact_type, &bytes)?;
                }
            }
        }
        let entry = Entry { name: name.clone(), manifest: new, record };
        self.store.bind(&self.lease, &entry, Rebind::From(old.digest))?;
        Ok(entry)
    }
}

/// Reads for whom a header is, if whoever wrote it noted that.
pub fn recipients_of(header: &Descriptor) -> Option<Vec<X25519Recipient>> {
    let names = header.annotations.get(key::RECIPIENTS)?;
    names.split(' ').map(|name| name.parse().ok()).collect()
}

/// Returns the keys that a file is sealed for; none where it is sealed with a passphrase.
fn keys_of(recipients: &Recipients) -> Option<Vec<X25519Recipient>> {
    match recipients {
        Recipients::Keys(first, others) => Some([&[*first][..], others].concat()),
        Recipients::Passphrase(_) => None,
    }
}

/// Gives the path of a layer's file to another one.
fn name_after(descriptor: &mut Descriptor, layer: &Descriptor) {
    if let Some(path) = layer.file_path() {
        descriptor.annotations.set(key::FILE_PATH, path.as_str());
    }
}

/// Finds the root of a file that must have the digest.
fn plain_root(file: &File, digest: &Digest) -> Result<Root, StoreError> {
    let found = hash_file(file, &|_| {}).map_err(StoreError::io(format!("reading {digest}")))?;
    if found.sha256 == *digest {
        return Ok(Root(found.blake3.bytes));
    }
    let what = "a blob of the store".to_owned();
    Err(StoreError::Differs { what, expected: *digest, found: found.sha256 })
}

impl fmt::Display for SealingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
        }
    }
}

impl Error for SealingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Their text is this error's text.
        match self {
            Self::Store(error) => error.source(),
            Self::Open(error) => error.source(),
        }
    }
}

impl From<StoreError> for SealingError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A leaf list has 128 KiB for a GiB.
const ATTACHED_BYTES_MAX: usize = 64 << 20;
