//! Many small files at once, with one wait for the disk instead of several for each.
//!
//! The order is that of a single blob: first all bytes are safe, then names are given, then the names are safe. A crash
//! between finds files without names, or some of the names, each of which leads to what it promises.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::thread;

use stack_seal::digest::Digest;

use super::error::StoreError;
use super::external::External;
use super::place::{Folder, StoreFile};
use super::{BeginOutcome, ExpectedBlob, Lease, MOMENT, PartialBlob, Store, sha256_of};

/// Files that are written already and get their names together, at the latest in [`Batch::finish`].
///
/// What is dropped before has no name: parts are gone on with or collected, as after a crash.
pub(crate) struct Batch {
    store: Store,
    blobs: Vec<Waiting>,
    /// Notes of where adopted files lie, each under the name that it has while it is written.
    notes: Vec<(Digest, File)>,
    known: BTreeSet<Digest>,
}

/// A blob that is to be published.
struct Waiting {
    part: PartialBlob,
    digests: Vec<Digest>,
    length: u64,
}

impl Batch {
    /// Begins with nothing.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.clone(), blobs: Vec::new(), notes: Vec::new(), known: BTreeSet::new() }
    }

    /// Puts bytes into the store and returns their digest. The lease keeps them there until something names them.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub(crate) fn put(&mut self, lease: &Lease, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = sha256_of(bytes);
        lease.add(&digest)?;
        if self.known.contains(&digest) {
            return Ok(digest);
        }
        let part = loop {
            match self.store.begin(&digest)? {
                BeginOutcome::Present if self.store.read(&digest, bytes.len()).is_ok() => return Ok(digest),
                // What is there is not what its name says, and here is what is.
                BeginOutcome::Present => self.store.drop_damaged(&digest)?,
                BeginOutcome::Mine(part) => break part,
                // Whoever writes the same bytes is done in a moment.
                BeginOutcome::Busy => thread::sleep(MOMENT),
            }
        };
        part.restart()?;
        part.write_at(bytes, 0)?;
        self.add(part, vec![digest], bytes.len() as u64)?;
        Ok(digest)
    }

    /// Adds a part that is written. It becomes a blob if it is what was promised.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::finish`], which this reaches when there are many.
    pub(crate) fn add(
        &mut self,
        part: PartialBlob,
        digests: Vec<Digest>,
        length: u64,
    ) -> Result<(), StoreError> {
        self.known.insert(*part.key());
        self.blobs.push(Waiting { part, digests, length });
        self.finish_if_many()
    }

    /// Adds a note of where the bytes of a digest lie. The caller has hashed them.
    pub(crate) fn note(&mut self, digest: &Digest, external: &External) -> Result<(), StoreError> {
        if self.known.insert(*digest) {
            let write = |bytes: Vec<u8>| self.store.write_aside(&StoreFile::ExternalNew(*digest), &bytes);
            let file = external.to_bytes().and_then(write);
            let file = file.map_err(StoreError::io(format!("adopting {}", external.path.display())))?;
            self.notes.push((*digest, file));
        }
        self.finish_if_many()
    }

    /// Gives everything its name. What is not what was promised is removed.
    ///
    /// # Errors
    ///
    /// When something is not what was promised, which says nothing about the rest, or the disk refuses.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        self.known.clear();
        let (blobs, notes) = (std::mem::take(&mut self.blobs), std::mem::take(&mut self.notes));
        let failed = || StoreError::io("writing many files");
        let parts = blobs.iter().map(|waiting| waiting.part.file());
        let files: Vec<&File> = parts.chain(notes.iter().map(|(_, file)| file)).collect();
        let disk = self.store.disk();
        disk.sync_many(&files).map_err(failed())?;
        let mut outcome = Ok(());
        let mut named = Vec::with_capacity(blobs.len());
        for Waiting { part, digests, length } in blobs {
            let expect = ExpectedBlob { digests: &digests, length: Some(length) };
            match part.name_after_content(&expect, &|_| {}) {
                Ok(_) => named.push(part),
                Err(error) => {
                    part.discard()?;
                    outcome = outcome.and(Err(error));
                }
            }
        }
        let name_notes = || -> io::Result<()> {
            for (digest, _) in &notes {
                disk.rename(&StoreFile::ExternalNew(*digest), &StoreFile::External(*digest))?;
            }
            if !notes.is_empty() {
                disk.sync_folder(Folder::External)?;
            }
            if !named.is_empty() {
                disk.sync_folder(Folder::Blobs)?;
            }
            named.iter().try_for_each(PartialBlob::forget_state)
        };
        name_notes().map_err(failed())?;
        outcome
    }

    /// Files are held open while they wait, of which a process may have a thousand.
    fn finish_if_many(&mut self) -> Result<(), StoreError> {
        if self.blobs.len() + self.notes.len() < FILES_MAX { Ok(()) } else { self.finish() }
    }
}

const FILES_MAX: usize = 256;
