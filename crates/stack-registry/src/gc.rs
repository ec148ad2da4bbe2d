//! Freeing what nothing needs.
//!
//! Mark everything that the index, its referrers and the living leases reach; sweep the rest. What cannot be understood
//! is needed: a manifest that cannot be read stops the sweep before it begins.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stack_seal::digest::Digest;

use crate::manifest::{Descriptor, Index, Manifest, key, kind};
use crate::name::Name;
use crate::store::Leased;
use crate::store::{Folder, Hold, Store, StoreError, StoreFile, try_lock};

/// How to collect garbage.
#[derive(Clone, Copy, Debug)]
pub struct GcOptions {
    /// The time.
    pub now: SystemTime,
    /// Blobs younger than this are kept: somebody may be about to name them.
    pub grace: Duration,
    /// Interrupted downloads younger than this are kept.
    pub parts_older: Duration,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A file of the store, and whether it is swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Its digest.
    pub digest: Digest,
    /// Bytes that it takes in the store.
    pub bytes: u64,
    /// Why it is kept or freed.
    pub reason: GcReason,
}

/// Why a file of the store is kept or freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GcReason {
    /// Kept: a name needs it.
    Named(String),
    /// Kept: it belongs to what refers to a manifest.
    RefersTo(Digest),
    /// Kept: a process uses it.
    InUse(u32),
    /// Kept: it is young.
    Young,
    /// Kept: it is being written, or may be gone on with.
    Unfinished,
    /// Freed: unused.
    Unneeded,
    /// Freed: abandoned download.
    Abandoned,
}

impl GcReason {
    /// Whether the file is freed.
    pub fn frees(&self) -> bool {
        matches!(self, Self::Unneeded | Self::Abandoned)
    }
}

impl fmt::Display for GcReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "used by {name}"),
            Self::RefersTo(subject) => write!(f, "belongs to {subject}"),
            Self::InUse(pid) => write!(f, "in use by process {pid}"),
            Self::Young => f.write_str("younger than the grace period"),
            Self::Unfinished => f.write_str("may be resumed"),
            Self::Unneeded => f.write_str("unused"),
            Self::Abandoned => f.write_str("abandoned download"),
        }
    }
}

/// What [`remove`] did.
#[derive(Debug)]
pub struct Removed {
    /// The names that were dropped.
    pub names: Vec<Name>,
    /// What was freed.
    pub freed: Vec<Swept>,
}

/// Frees what nothing needs, and says of every file why it stays or goes.
///
/// # Errors
///
/// When the index or one of its manifests cannot be read, `gc` runs already, or the disk refuses.
pub fn collect(store: &Store, options: &GcOptions) -> Result<Vec<Swept>, StoreError> {
    let _lock = store.take_lock(&StoreFile::GcLock, Hold::Alone, "the store")?;
    let leased = store.leased()?;
    let index = store.index()?;
    let marks = Marks::of(store, &index, &leased)?;
    if !options.dry_run && index.manifests.iter().any(|entry| marks.is_orphan(entry)) {
        store.update_index(|index| {
            index.manifests.retain(|entry| !marks.is_orphan(entry));
            Ok(())
        })?;
    }
    let mut swept = Vec::new();
    for folder in [Folder::Blobs, Folder::External] {
        for place in list(store, folder)? {
            let (StoreFile::Blob(digest) | StoreFile::External(digest)) = place else { continue };
            let Some((bytes, age)) = look(store, &place, options.now)? else { continue };
            let reason = match marks.reasons.get(&digest) {
                Some(reason) => reason.clone(),
                None if age < options.grace => GcReason::Young,
                None => GcReason::Unneeded,
            };
            swept.push(sweep(store, &place, Swept { digest, bytes, reason }, options.dry_run)?);
        }
    }
    for place in list(store, Folder::Tmp)? {
        swept.extend(sweep_unfinished(store, &place, options)?);
    }
    Ok(swept)
}

/// Drops names, then frees what nothing else needs. All names are dropped, or none.
///
/// # Errors
///
/// When a name is not in the store or in use, or the disk refuses.
pub fn remove(store: &Store, names: &[Name], dry_run: bool) -> Result<Removed, StoreError> {
    let _lock = store.take_lock(&StoreFile::GcLock, Hold::Alone, "the store")?;
    let leased = store.leased()?;
    let mut index = store.index()?;
    let mut candidates = Vec::new();
    for name in names {
        let entry = index.find(name).ok_or_else(|| StoreError::unknown(name, &index))?.clone();
        index.unbind(name);
        let still_named = index.named().any(|(_, other)| other.digest == entry.digest);
        if let Some(&pid) = leased.get(&entry.digest)
            && !still_named
        {
            return Err(StoreError::InUse { name: name.clone(), pid });
        }
        candidates.push(entry);
    }
    let marks = Marks::of(store, &index, &leased)?;
    candidates.extend(index.manifests.iter().filter(|entry| marks.is_orphan(entry)).cloned());
    if !dry_run {
        store.update_index(|index| {
            for name in names {
                index.unbind(name);
            }
            index.manifests.retain(|entry| !marks.is_orphan(entry));
            Ok(())
        })?;
    }
    let mut freed = free(store, &marks, &candidates, dry_run)?;
    freed.retain(|item| item.reason.frees());
    Ok(Removed { names: names.to_vec(), freed })
}

/// Frees what a manifest needed that no name means any more, and says of every file why it stays or goes.
///
/// # Errors
///
/// When the index or one of its manifests cannot be read, `gc` runs already, or the disk refuses.
pub fn release(store: &Store, manifest: &Descriptor) -> Result<Vec<Swept>, StoreError> {
    let _lock = store.take_lock(&StoreFile::GcLock, Hold::Alone, "the store")?;
    let index = store.index()?;
    let marks = Marks::of(store, &index, &store.leased()?)?;
    let orphans: Vec<_> = index.manifests.iter().filter(|entry| marks.is_orphan(entry)).cloned().collect();
    if !orphans.is_empty() {
        store.update_index(|index| {
            index.manifests.retain(|entry| !marks.is_orphan(entry));
            Ok(())
        })?;
    }
    free(store, &marks, &[&[manifest.clone()][..], &orphans].concat(), false)
}

/// Frees manifests and what they need, as far as nothing else needs it.
fn free(
    store: &Store,
    marks: &Marks,
    manifests: &[Descriptor],
    dry_run: bool,
) -> Result<Vec<Swept>, StoreError> {
    let mut digests = Vec::new();
    for entry in manifests {
        digests.push(entry.digest);
        // One that cannot be read is removed alone; `gc` finds what it left.
        if let Ok(manifest) = store.manifest(&entry.digest) {
            digests.extend(manifest.needs().map(|needed| needed.digest));
        }
    }
    digests.sort_unstable();
    digests.dedup();
    let mut swept = Vec::new();
    for digest in digests {
        for place in [StoreFile::Blob(digest), StoreFile::External(digest)] {
            if let Some((bytes, _)) = look(store, &place, UNIX_EPOCH)? {
                let reason = marks.reasons.get(&digest).cloned().unwrap_or(GcReason::Unneeded);
                swept.push(sweep(store, &place, Swept { digest, bytes, reason }, dry_run)?);
            }
        }
    }
    Ok(swept)
}

/// What is needed, and why.
struct Marks {
    reasons: BTreeMap<Digest, GcReason>,
}

impl Marks {
    fn of(store: &Store, index: &Index, leased: &Leased) -> Result<Self, StoreError> {
        let mut marks = Self { reasons: BTreeMap::new() };
        for (digest, pid) in leased {
            marks.reasons.insert(*digest, GcReason::InUse(*pid));
        }
        let mut referrers = Vec::new();
        for entry in &index.manifests {
            if let Some(name) = entry.annotations.get(key::REF_NAME) {
                marks.document(store, entry, &GcReason::Named(name.to_owned()), 0)?;
                continue;
            }
            match subject_of(store, entry)? {
                Some(subject) => referrers.push((subject, entry)),
                None => marks.document(store, entry, &GcReason::Named("the index".to_owned()), 0)?,
            }
        }
        // What refers to a referrer comes in a later round.
        loop {
            let (live, rest): (Vec<_>, Vec<_>) =
                referrers.into_iter().partition(|(subject, _)| marks.reasons.contains_key(subject));
            if live.is_empty() {
                return Ok(marks);
            }
            for (subject, entry) in live {
                marks.document(store, entry, &GcReason::RefersTo(subject), 0)?;
            }
            referrers = rest;
        }
    }

    /// Marks a manifest, or an index of manifests, with all that it needs.
    fn document(
        &mut self,
        store: &Store,
        entry: &Descriptor,
        reason: &GcReason,
        depth: usize,
    ) -> Result<(), StoreError> {
        self.mark(entry.digest, reason);
        if entry.media_type != kind::INDEX {
            for needed in store.manifest(&entry.digest)?.needs() {
                self.mark(needed.digest, reason);
            }
            return Ok(());
        }
        let bytes = store.read(&entry.digest, crate::manifest::DOCUMENT_BYTES_MAX)?;
        let malformed = |source| StoreError::malformed(format!("the index {}", entry.digest), source);
        let index = Index::parse(&bytes).map_err(malformed)?;
        if depth == INDEX_DEPTH_MAX {
            return Err(StoreError::missing(format!("the end of the indexes behind {}", entry.digest)));
        }
        index.manifests.iter().try_for_each(|entry| self.document(store, entry, reason, depth + 1))
    }

    fn mark(&mut self, digest: Digest, reason: &GcReason) {
        self.reasons.entry(digest).or_insert_with(|| reason.clone());
    }

    /// Whether an entry of the index refers to a manifest that nothing needs.
    fn is_orphan(&self, entry: &Descriptor) -> bool {
        entry.annotations.get(key::REF_NAME).is_none() && !self.reasons.contains_key(&entry.digest)
    }
}

/// What an entry without a name refers to. Other tools do not say so in the index.
fn subject_of(store: &Store, entry: &Descriptor) -> Result<Option<Digest>, StoreError> {
    if let Some(subject) = entry.annotations.get(key::SUBJECT).and_then(|digest| digest.parse().ok()) {
        return Ok(Some(subject));
    }
    if entry.media_type == kind::INDEX {
        return Ok(None);
    }
    let Manifest { subject, .. } = store.manifest(&entry.digest)?;
    Ok(subject.map(|subject| subject.digest))
}

fn list(store: &Store, folder: Folder) -> Result<Vec<StoreFile>, StoreError> {
    store.folders().list(folder).map_err(StoreError::io("listing the store"))
}

/// Returns the length and the age of a file that is there.
fn look(store: &Store, place: &StoreFile, now: SystemTime) -> Result<Option<(u64, Duration)>, StoreError> {
    let stat = store.folders().stat(place).map_err(StoreError::io("looking at the store"))?;
    Ok(stat.map(|stat| {
        let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        // What comes from the future is as young as can be.
        let age = now.duration_since(changed).unwrap_or(Duration::ZERO);
        (u64::try_from(stat.st_size).unwrap_or(0), age)
    }))
}

/// Removes a file that is to be freed.
fn sweep(store: &Store, place: &StoreFile, item: Swept, dry_run: bool) -> Result<Swept, StoreError> {
    if item.reason.frees() && !dry_run {
        match store.disk().unlink(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io(format!("freeing {}", item.digest))(error));
            }
            _ => {}
        }
    }
    Ok(item)
}

/// Removes what an interrupted write left, when nobody goes on with it.
fn sweep_unfinished(
    store: &Store,
    place: &StoreFile,
    options: &GcOptions,
) -> Result<Option<Swept>, StoreError> {
    let Some((bytes, age)) = look(store, place, options.now)? else { return Ok(None) };
    let old = age >= options.parts_older;
    let abandoned = match *place {
        // A crash after the last rename may leave the blob its old name as well.
        StoreFile::PartialBlob(digest) => (old || store.has(&digest)?) && !is_written(store, digest)?,
        StoreFile::PartState(digest) | StoreFile::PartStateNew(digest) => old && !is_written(store, digest)?,
        // Nobody holds a lock on it, and it takes a moment to write.
        StoreFile::ExternalNew(_) => old && age >= MOMENT,
        _ => return Ok(None),
    };
    let (StoreFile::PartialBlob(digest)
    | StoreFile::PartState(digest)
    | StoreFile::PartStateNew(digest)
    | StoreFile::ExternalNew(digest)) = *place
    else {
        return Ok(None);
    };
    let reason = if abandoned { GcReason::Abandoned } else { GcReason::Unfinished };
    sweep(store, place, Swept { digest, bytes, reason }, options.dry_run).map(Some)
}

/// Whether somebody writes a part now.
fn is_written(store: &Store, digest: Digest) -> Result<bool, StoreError> {
    let looking = || StoreError::io(format!("looking at the part {digest}"));
    match store.folders().read(&StoreFile::PartialBlob(digest)) {
        Ok(file) => Ok(!try_lock(&file, Hold::Alone).map_err(looking())?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(looking()(error)),
    }
}

/// No small file takes longer to be written.
const MOMENT: Duration = Duration::from_hours(1);

/// Indexes within indexes that are followed.
const INDEX_DEPTH_MAX: usize = 4;
