//! What the names of a store mean.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::process;

use stack_seal::digest::Digest;

use super::Lease;
use super::error::StoreError;
use super::lock::{Hold, lock};
use super::place::{Folder, StoreFile};
use super::signers::{keeps_signer, kept_signers};
use super::{Store, is_full};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest, key, kind};
use crate::name::Name;

/// A name and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Name,
    /// The manifest of the model.
    pub manifest: Descriptor,
    /// How the name came to mean it.
    pub record: Record,
}

/// How a name came to mean what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where the model came from, as a reference.
    pub origin: Option<String>,
    /// The upstream's commit or digest.
    pub commit: Option<String>,
    /// Who signed what was accepted.
    pub signer: Option<String>,
    /// When, in seconds since 1970.
    pub named_at: Option<u64>,
    /// Whether the model was sealed in this store, from plain files that had the roots in its manifest. What came from
    /// elsewhere never is.
    pub sealed_here: bool,
}

/// What to do with a name that means something else already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebind {
    /// Leave it, and fail.
    Never,
    /// Let it mean the new model.
    Allowed,
    /// Let it mean the new model if it still means this one.
    From(Digest),
}

/// What refers to a manifest, such as a signature.
#[derive(Clone, Debug)]
pub struct Referrer {
    /// The referring manifest, as the index describes it.
    pub descriptor: Descriptor,
    /// The manifest itself.
    pub manifest: Manifest,
}

impl Store {
    /// Reads the index; a store without one and without blobs has an empty one.
    ///
    /// # Errors
    ///
    /// When the disk refuses, the index is malformed, or a store with blobs has lost it.
    pub fn index(&self) -> Result<Index, StoreError> {
        let reading = || StoreError::io("reading index.json");
        let file = match self.folders.read(&StoreFile::Index) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.without_index(),
            Err(error) => return Err(reading()(error)),
        };
        let mut bytes = Vec::new();
        file.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(reading())?;
        Index::parse(&bytes).map_err(|source| StoreError::malformed("index.json", source))
    }

    /// What a missing index means: nothing yet, or a loss that must not be taken for emptiness.
    fn without_index(&self) -> Result<Index, StoreError> {
        // A new store gets its index before its first blob.
        let blobs = self.folders.list(Folder::Blobs).map_err(StoreError::io("looking for blobs"))?;
        if blobs.is_empty() { Ok(Index::default()) } else { Err(StoreError::NoIndex { blobs: blobs.len() }) }
    }

    /// Changes the index while nobody else does. After a crash it is either the old or the new one.
    ///
    /// # Errors
    ///
    /// When the disk refuses, somebody else holds the lock for too long, or the change itself fails.
    pub fn update_index<T>(
        &self,
        change: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _lock = self.lock_index()?;
        let before = self.index()?;
        let mut index = before.clone();
        let result = change(&mut index)?;
        if index != before {
            let writing = StoreError::io("writing index.json");
            let bytes = index.to_bytes();
            self.replace(&StoreFile::IndexNew, &StoreFile::Index, &bytes).map_err(writing)?;
            self.set_aside(bytes.len());
        }
        Ok(result)
    }

    /// Sets space aside for the next index, so that names can be removed from a full disk.
    fn set_aside(&self, bytes: usize) {
        let aside = (2 * bytes).max(SET_ASIDE_BYTES_MIN) as u64;
        // Without it, the next change needs free space, as it did before.
        let _aside = self.disk.create(&StoreFile::IndexNew).and_then(|file| self.disk.resize(&file, aside));
    }

    /// Finds what a name means.
    ///
    /// # Errors
    ///
    /// When the store does not have it, or its index cannot be read.
    pub fn resolve(&self, name: &Name) -> Result<Entry, StoreError> {
        let index = self.index()?;
        let manifest = index.find(name).ok_or_else(|| StoreError::unknown(name, &index))?;
        Ok(Entry::new(name.clone(), manifest))
    }

    /// Lists the names, sorted.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        Ok(Self::entries_in(&self.index()?))
    }

    /// Lists the names of an index that was read before, sorted.
    pub fn entries_in(index: &Index) -> Vec<Entry> {
        let mut entries: Vec<_> = index.named().map(|(name, manifest)| Entry::new(name, manifest)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Gives a model its name. All that its manifest needs must be there; the lease keeps it there meanwhile.
    ///
    /// # Errors
    ///
    /// When something is missing, the name means another model and may not change, or the disk refuses.
    pub fn bind(&self, lease: &Lease, entry: &Entry, rebind: Rebind) -> Result<(), StoreError> {
        self.bind_all(lease, std::slice::from_ref(entry), rebind)
    }

    /// Gives several models their names: all of them, or none.
    ///
    /// # Errors
    ///
    /// Those of [`Store::bind`], for the first model that has one.
    pub fn bind_all(&self, lease: &Lease, entries: &[Entry], rebind: Rebind) -> Result<(), StoreError> {
        for entry in entries {
            let manifest = self.manifest(&entry.manifest.digest)?;
            let needed = manifest.needs().map(|needed| needed.digest);
            lease.add_all(std::iter::once(entry.manifest.digest).chain(needed))?;
            for needed in manifest.needs() {
                if !self.has(&needed.digest)? {
                    return Err(StoreError::missing(needed.digest));
                }
            }
        }
        self.update_index(|index| {
            // Where a foreign tool wrote a name twice, the last one counts.
            let known: BTreeMap<Name, Descriptor> =
                index.named().map(|(name, entry)| (name, entry.clone())).collect();
            let mut bound = BTreeMap::new();
            for entry in entries {
                let described = entry.replacing(known.get(&entry.name), rebind)?;
                bound.insert(entry.name.clone(), described);
            }
            index.bind_all(bound);
            Ok(())
        })
    }

    /// Attaches bytes to a manifest, as a signature is, and returns the referring manifest. What is already attached is
    /// not attached again.
    ///
    /// # Errors
    ///
    /// When the manifest is not there, or the disk refuses.
    pub fn attach(
        &self,
        lease: &Lease,
        subject: &Descriptor,
        artifact_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, StoreError> {
        if !self.has(&subject.digest)? {
            return Err(StoreError::missing(subject.digest));
        }
        self.put(lease, crate::manifest::EMPTY_CONFIG)?;
        self.put(lease, bytes)?;
        let layer = Descriptor::of(artifact_type, bytes);
        let manifest = Manifest::referrer(artifact_type, layer, subject.clone()).to_bytes();
        self.put(lease, &manifest)?;
        let mut descriptor =
            Descriptor::of(kind::MANIFEST, &manifest).with(key::SUBJECT, subject.digest.to_string());
        descriptor.artifact_type = Some(artifact_type.to_owned());
        self.update_index(|index| {
            index.refer(descriptor.clone());
            Ok(())
        })?;
        Ok(descriptor)
    }

    /// Finds what refers to a manifest with artifacts of a type.
    ///
    /// # Errors
    ///
    /// When the index or a referring manifest cannot be read.
    pub fn referrers(&self, subject: &Digest, artifact_type: &str) -> Result<Vec<Referrer>, StoreError> {
        self.each_referrer(subject, artifact_type)?.into_iter().collect()
    }

    /// Finds what refers to a manifest, each with why it cannot be read: a damaged one says nothing about the others.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn each_referrer(
        &self,
        subject: &Digest,
        artifact_type: &str,
    ) -> Result<Vec<Result<Referrer, StoreError>>, StoreError> {
        Ok(self.referrers_among(self.index()?.referrers(subject), subject, artifact_type))
    }

    /// Finds what refers to a manifest among entries of an index that was read before.
    pub(crate) fn referrers_among<'a>(
        &self,
        entries: impl Iterator<Item = &'a Descriptor>,
        subject: &Digest,
        artifact_type: &str,
    ) -> Vec<Result<Referrer, StoreError>> {
        let is_of_type =
            |descriptor: &&Descriptor| descriptor.artifact_type.as_deref() == Some(artifact_type);
        // The index only helps to find it; the manifest itself says what it is for.
        let is_about = |found: &Result<Referrer, StoreError>| {
            found.as_ref().map_or(true, |referrer| {
                referrer.manifest.subject.as_ref().is_some_and(|named| named.digest == *subject)
            })
        };
        let read = |descriptor: &Descriptor| {
            let manifest = self.manifest(&descriptor.digest)?;
            Ok(Referrer { descriptor: descriptor.clone(), manifest })
        };
        entries.filter(is_of_type).map(read).filter(is_about).collect()
    }

    /// Takes the lock of the index's writers.
    pub(crate) fn lock_index(&self) -> Result<File, StoreError> {
        self.take_lock(&StoreFile::Lock, Hold::Alone, "the index")
    }

    /// Takes a lock and writes down who holds it.
    pub(crate) fn take_lock(
        &self,
        place: &StoreFile,
        hold: Hold,
        what: &'static str,
    ) -> Result<File, StoreError> {
        let attempt = || StoreError::io(format!("locking {what}"));
        let file = self.disk.create(place).map_err(attempt())?;
        lock(&file, hold, what)?;
        if hold == Hold::Alone {
            self.disk.resize(&file, 0).map_err(attempt())?;
            match self.disk.write(&file, process::id().to_string().as_bytes(), 0) {
                // The lock holds; only its holder stays unknown.
                Err(error) if is_full(&error) => {}
                written => written.map_err(attempt())?,
            }
        }
        Ok(file)
    }
}

impl Entry {
    /// Describes what the name is to mean, if it may mean that instead of what it means now.
    fn replacing(&self, old: Option<&Descriptor>, rebind: Rebind) -> Result<Descriptor, StoreError> {
        let mut record = self.record.clone();
        if let Some(old) = old {
            let before = Self::new(self.name.clone(), old).record.signer;
            let is_other = old.digest != self.manifest.digest;
            if is_other && !keeps_signer(before.as_deref(), record.signer.as_deref()) {
                let (name, before, now) = (self.name.clone(), before.unwrap_or_default(), record.signer);
                return Err(StoreError::SignerChanged { name, before, now });
            }
            record.signer = kept_signers(before.as_deref(), record.signer.as_deref());
            let allowed = match rebind {
                Rebind::Never => old.digest == self.manifest.digest,
                Rebind::Allowed => true,
                Rebind::From(digest) => [digest, self.manifest.digest].contains(&old.digest),
            };
            if !allowed {
                return Err(StoreError::NameTaken { name: self.name.clone(), digest: old.digest });
            }
        }
        Ok(record.describe(&self.manifest))
    }

    fn new(name: Name, descriptor: &Descriptor) -> Self {
        let fact = |key: &str| descriptor.annotations.get(key).map(str::to_owned);
        let record = Record {
            origin: fact(key::ORIGIN),
            commit: fact(key::COMMIT),
            signer: fact(key::SIGNER),
            named_at: fact(key::NAMED_AT).and_then(|seconds| seconds.parse().ok()),
            sealed_here: descriptor.annotations.get(key::SEALED_HERE) == Some("true"),
        };
        Self { name, manifest: descriptor.clone(), record }
    }
}

impl Record {
    /// Writes the record beside a manifest's descriptor.
    pub(super) fn describe(&self, manifest: &Descriptor) -> Descriptor {
        let mut descriptor =
            Descriptor { annotations: crate::manifest::Annotations::default(), ..manifest.clone() };
        let named_at = self.named_at.map(|seconds| seconds.to_string());
        for (key, value) in [
            (key::ORIGIN, &self.origin),
            (key::COMMIT, &self.commit),
            (key::SIGNER, &self.signer),
            (key::NAMED_AT, &named_at),
        ] {
            if let Some(value) = value {
                descriptor.annotations.set(key, value);
            }
        }
        if self.sealed_here {
            descriptor.annotations.set(key::SEALED_HERE, "true");
        }
        descriptor
    }
}

/// An index of a few dozen models.
const SET_ASIDE_BYTES_MIN: usize = 64 << 10;
