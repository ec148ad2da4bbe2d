//! What is in use, said so that `gc` and `rm` can see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use stack_seal::digest::Digest;

use crate::name::Name;
use crate::store::{Entry, Folder, Hold, Store, StoreError, StoreFile, is_full, is_read_only, try_lock};

/// A promise of the store: what is listed here stays while the lease lives.
///
/// It is a file with one digest a line, which its owner holds locked. The kernel frees the lock when the owner dies, so
/// a crash leaves no lease behind, only a file that the next `gc` removes.
pub struct Lease {
    store: Store,
    place: StoreFile,
    file: File,
    listed: Mutex<Listed>,
}

/// What a lease lists.
#[derive(Default)]
struct Listed {
    digests: BTreeSet<Digest>,
    /// Where the next line goes.
    end: u64,
}

/// What is in use, and by which process.
pub(crate) type Leased = BTreeMap<Digest, u32>;

impl Store {
    /// Takes a lease, on nothing yet. First lease, then look: what is seen after [`Lease::add`] stays.
    ///
    /// # Errors
    ///
    /// When the disk refuses, as one that cannot be written does.
    pub fn lease(&self) -> Result<Lease, StoreError> {
        let failed = || StoreError::io("taking a lease");
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let place = StoreFile::Lease { pid: process::id(), number };
            let file = self.disk().create(&place).map_err(failed())?;
            // Another machine's process of the same number, or `gc`, may have it.
            if !try_lock(&file, Hold::Alone).map_err(failed())? {
                continue;
            }
            if self.is_at(&place, &file).map_err(failed())? {
                self.disk().resize(&file, 0).map_err(failed())?;
                return Ok(Lease { store: self.clone(), place, file, listed: Mutex::default() });
            }
        }
    }

    /// Finds a model to use it: takes a lease on all of it, and notes that it was used.
    ///
    /// Where nothing can be written there is no lease: whoever opened the files keeps them all the same.
    ///
    /// # Errors
    ///
    /// When the store does not have it, or it is malformed.
    pub fn hold(&self, name: &Name) -> Result<(Entry, Option<Lease>), StoreError> {
        let lease = match self.lease() {
            Ok(lease) => Some(lease),
            Err(StoreError::Io { source, .. }) if is_read_only(&source) || is_full(&source) => None,
            Err(error) => return Err(error),
        };
        let entry = self.resolve(name)?;
        if let Some(lease) = &lease {
            lease.add(&entry.manifest.digest)?;
            lease.add_all(self.manifest(&entry.manifest.digest)?.needs().map(|needed| needed.digest))?;
        }
        if let Ok(blob) = self.blob(&entry.manifest.digest) {
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            // The time is shown to people, and may be old where it cannot be changed.
            let _unnoted = futimens(&blob.file, &Timestamps { last_access: now, last_modification: now });
        }
        Ok((entry, lease))
    }

    /// Reads all leases, and removes the files of those that ended.
    pub(crate) fn leased(&self) -> Result<Leased, StoreError> {
        let failed = || StoreError::io("reading the leases");
        let mut leased = Leased::new();
        for place in self.folders().list(Folder::Leases).map_err(failed())? {
            let StoreFile::Lease { pid, .. } = place else { continue };
            let file = match self.folders().read(&place) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed()(error)),
            };
            if try_lock(&file, Hold::Alone).map_err(failed())? {
                // One that ended just now removed its file itself, and another may have taken the name.
                if self.is_at(&place, &file).map_err(failed())? {
                    self.disk().unlink(&place).map_err(failed())?;
                }
                continue;
            }
            if file.metadata().map_err(failed())?.permissions().readonly() {
                leased.extend(self.everything().map_err(failed())?.into_iter().map(|digest| (digest, pid)));
                continue;
            }
            let mut text = String::new();
            file.take(LEASE_BYTES_MAX).read_to_string(&mut text).map_err(failed())?;
            for line in text.lines() {
                let invalid = |error| failed()(io::Error::new(io::ErrorKind::InvalidData, error));
                leased.insert(line.parse().map_err(invalid)?, pid);
            }
        }
        Ok(leased)
    }

    /// Lists all that the store holds.
    fn everything(&self) -> io::Result<Vec<Digest>> {
        let digest = |place| match place {
            StoreFile::Blob(digest) | StoreFile::External(digest) => Some(digest),
            _ => None,
        };
        let (blobs, adopted) = (self.folders().list(Folder::Blobs)?, self.folders().list(Folder::External)?);
        Ok(blobs.into_iter().chain(adopted).filter_map(digest).collect())
    }

    /// Whether that file, which the caller holds locked, still lies there. If so it stays: only who holds the lock of a
    /// lease's file removes it.
    fn is_at(&self, place: &StoreFile, file: &File) -> io::Result<bool> {
        let inode = file.metadata()?.ino();
        Ok(self.folders().stat(place)?.is_some_and(|stat| stat.st_ino == inode))
    }
}

impl Lease {
    /// Adds a digest. It may be one that the store does not have yet.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or `gc` runs for longer than it ever should.
    pub fn add(&self, digest: &Digest) -> Result<(), StoreError> {
        self.add_all(std::iter::once(*digest))
    }

    /// Adds several digests at once.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or `gc` runs for longer than it ever should.
    pub fn add_all(&self, added: impl IntoIterator<Item = Digest>) -> Result<(), StoreError> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for digest in added {
            if listed.digests.insert(digest) {
                text += &digest.to_string();
                text.push('\n');
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        // While `gc` marks and sweeps, nobody changes a lease: it has seen a digest, or it does not run.
        let _gc = self.store.take_lock(&StoreFile::GcLock, Hold::Shared, "the store, which gc sweeps,")?;
        match self.store.disk().write(&self.file, text.as_bytes(), listed.end) {
            // A full disk has no room for the list. A lease that lists nothing and cannot be written is one on all.
            Err(error) if is_full(&error) => self.store.disk().protect(&self.file),
            written => written,
        }
        .map_err(StoreError::io("taking a lease"))?;
        listed.end += text.len() as u64;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // If it cannot be removed, the next `gc` sees that nobody holds it.
        let _stays = self.store.disk().unlink(&self.place);
    }
}

/// Numbers the leases of this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// More lines than any model has files.
const LEASE_BYTES_MAX: u64 = 4 << 20;
