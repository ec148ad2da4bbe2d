//! Blobs on their way into the store.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use stack_seal::digest::{Algorithm, Digest};

use super::error::StoreError;
use super::hashing::{Hashed, hash_file};
use super::lock::{Hold, try_lock};
use super::place::{Folder, StoreFile};
use super::ranges::Ranges;
use super::{Store, is_full};
use crate::json;

/// What became of the wish to write a blob.
pub enum BeginOutcome {
    /// The store has it.
    Present,
    /// Nobody else writes it: here is what is there so far.
    Mine(PartialBlob),
    /// Another process or thread writes it now; ask again in a moment.
    Busy,
}

/// A blob that is being written, by nobody else.
///
/// What was saved survives a crash, and the next [`Store::begin`] goes on from there. The file gets the name of a blob
/// only in [`PartialBlob::publish`], after its bytes were synced, read back and found to be the promised ones.
pub struct PartialBlob {
    store: Store,
    key: Digest,
    /// Its lock ends with it.
    file: File,
    state: Mutex<State>,
    /// Held while the state is being saved, so that an older one never follows a newer one.
    saving: Mutex<()>,
}

/// What a finished part must be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedBlob<'a> {
    /// All digests that are promised, of either algorithm.
    pub digests: &'a [Digest],
    /// The promised length.
    pub length: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct State {
    length: Option<u64>,
    validator: Option<String>,
    ranges: Ranges,
}

/// The state as it lies on disk. Its ranges were synced before it was written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    validator: Option<String>,
    ranges: Vec<(u64, u64)>,
}

impl Store {
    /// Begins to write a blob, or goes on with it.
    ///
    /// Where no digest is known beforehand, any SHA-256 digest may serve as the key: that of the address, say. The blob
    /// is named after what its file holds in any case.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn begin(&self, key: &Digest) -> Result<BeginOutcome, StoreError> {
        let failed = || StoreError::io(format!("writing {key}"));
        if key.algorithm != Algorithm::Sha256 {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "blobs are named by SHA-256");
            return Err(failed()(error));
        }
        let place = StoreFile::PartialBlob(*key);
        loop {
            if self.has(key)? {
                return Ok(BeginOutcome::Present);
            }
            let file = self.disk.create(&place).map_err(failed())?;
            if !try_lock(&file, Hold::Alone).map_err(failed())? {
                return Ok(BeginOutcome::Busy);
            }
            // Whoever held the lock before may have renamed or removed the file meanwhile.
            let inode = file.metadata().map_err(failed())?.ino();
            if self.folders.stat(&place).map_err(failed())?.is_some_and(|stat| stat.st_ino == inode) {
                return PartialBlob::resume(self.clone(), *key, file).map(BeginOutcome::Mine);
            }
        }
    }

    /// How many bytes of a part were saved, whoever writes it.
    pub fn part_bytes(&self, key: &Digest) -> u64 {
        self.saved_state(key).map_or(0, |state| state.ranges.bytes())
    }

    /// Says how much room a blob of this length still takes on the disk: nothing where it is there, and of one that was
    /// begun only the rest.
    pub(crate) fn lacks(&self, key: &Digest, length: u64) -> Result<u64, StoreError> {
        if self.has(key)? {
            return Ok(0);
        }
        let part = self.folders.stat(&StoreFile::PartialBlob(*key));
        let part = part.map_err(StoreError::io(format!("looking for {key}")))?;
        let taken =
            part.map_or(0, |part| u64::try_from(part.st_blocks).unwrap_or(0).saturating_mul(BLOCK_BYTES));
        Ok(length.saturating_sub(taken))
    }

    fn saved_state(&self, key: &Digest) -> Option<State> {
        let mut bytes = Vec::new();
        let file = self.folders.read(&StoreFile::PartState(*key)).ok()?;
        file.take(STATE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let saved: SavedState = serde_json::from_slice(&bytes).ok()?;
        let ranges = Ranges::parse(&saved.ranges)?;
        let fits = saved.length.is_none_or(|length| ranges.end() <= length);
        (saved.version == 1 && fits).then_some(State {
            length: saved.length,
            validator: saved.validator,
            ranges,
        })
    }
}

impl PartialBlob {
    fn resume(store: Store, key: Digest, file: File) -> Result<Self, StoreError> {
        let failed = || StoreError::io(format!("resuming {key}"));
        let length = file.metadata().map_err(failed())?.len();
        let state = store.saved_state(&key).filter(|state| state.ranges.end() <= length);
        let fresh = state.is_none();
        let part =
            Self { store, key, file, state: Mutex::new(state.unwrap_or_default()), saving: Mutex::default() };
        if fresh {
            part.forget_state().map_err(failed())?;
        }
        Ok(part)
    }

    /// The digest that the part goes by.
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The length that was announced with the bytes that are there.
    pub fn length(&self) -> Option<u64> {
        self.state().length
    }

    /// What identified the upstream's file, such as an `ETag`, when the bytes that are there were fetched.
    pub fn validator(&self) -> Option<String> {
        self.state().validator.clone()
    }

    /// The bytes that are there.
    pub fn ranges(&self) -> Ranges {
        self.state().ranges.clone()
    }

    /// Announces the length and what identifies the upstream's file. Bytes of another length or file are forgotten;
    /// the space on disk is taken at once.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or has no room.
    pub fn prepare(&self, length: Option<u64>, validator: Option<&str>) -> Result<(), StoreError> {
        let same = {
            let state = self.state();
            state.length == length && state.validator.as_deref() == validator
        };
        if !same {
            self.restart()?;
            let mut state = self.state();
            state.length = length;
            state.validator = validator.map(str::to_owned);
        }
        let Some(length) = length else { return Ok(()) };
        self.store.disk.resize(&self.file, length).map_err(|error| {
            // The space is taken before anything is fetched for nothing.
            match self.store.folders.free_bytes().filter(|_| is_full(&error)) {
                Some(free) => StoreError::NoRoom { needed: length.saturating_sub(self.allocated()), free },
                None => self.failed()(error),
            }
        })
    }

    /// Bytes that the file takes on the disk already.
    fn allocated(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.blocks() * BLOCK_BYTES)
    }

    /// Writes bytes. Several threads may do so.
    ///
    /// # Errors
    ///
    /// When the disk refuses, is full, or the bytes go beyond the announced length.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        let end = offset.saturating_add(bytes.len() as u64);
        if let Some(expected) = self.length()
            && end > expected
        {
            return Err(StoreError::Length { what: self.key.to_string(), expected, found: end });
        }
        self.store.disk.write(&self.file, bytes, offset).map_err(self.failed())?;
        self.state().ranges.insert(offset..end);
        Ok(())
    }

    /// Empties the part and lets `write` fill its file, from as many threads as it likes. What was written counts only
    /// when it is published: a crash forgets it.
    ///
    /// # Errors
    ///
    /// When the disk refuses; and what `write` returns.
    pub(crate) fn fill<T, E: From<StoreError>>(
        &self,
        write: impl FnOnce(File) -> Result<T, E>,
    ) -> Result<T, E> {
        self.restart()?;
        write(self.file.try_clone().map_err(self.failed())?)
    }

    /// Reads back what was written.
    ///
    /// # Errors
    ///
    /// When the disk fails, or the bytes are not there.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), StoreError> {
        self.file.read_exact_at(buffer, offset).map_err(self.failed())
    }

    /// Fills the part with another file, sharing its bytes on disk, and returns whether the disk can do that.
    ///
    /// # Errors
    ///
    /// When the disk fails otherwise.
    pub fn reflink(&self, source: &File) -> Result<bool, StoreError> {
        self.restart()?;
        if self.store.disk.reflink(&self.file, source).is_err() {
            return Ok(false);
        }
        let length = self.file.metadata().map_err(self.failed())?.len();
        self.state().ranges.insert(0..length);
        Ok(true)
    }

    /// Makes what was written so far survive a crash.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn save(&self) -> Result<(), StoreError> {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        // What is written after this line is synced by chance only, and not listed.
        let state = self.state().clone();
        let saved = SavedState {
            version: 1,
            length: state.length,
            validator: state.validator,
            ranges: state.ranges.pairs(),
        };
        let bytes = json::to_bytes(&saved);
        let save = || {
            self.store.disk.sync(&self.file)?;
            // The part's own name must survive before anything speaks of its bytes.
            self.store.disk.sync_folder(Folder::Tmp)?;
            self.store.replace(&StoreFile::PartStateNew(self.key), &StoreFile::PartState(self.key), &bytes)
        };
        save().map_err(self.failed())
    }

    /// Forgets all bytes.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn restart(&self) -> Result<(), StoreError> {
        let restart = || {
            self.forget_state()?;
            self.store.disk.resize(&self.file, 0)
        };
        restart().map_err(self.failed())?;
        *self.state() = State::default();
        Ok(())
    }

    /// Makes a blob of the part: syncs it, reads back what the file holds, and gives it the name of its SHA-256 digest
    /// if all that was expected is true.
    ///
    /// `progress` is told how many bytes were read back. After an error the part stays where it is.
    ///
    /// # Errors
    ///
    /// When a digest or the length is not the expected one, or the disk refuses.
    pub fn publish(
        self,
        expect: &ExpectedBlob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Hashed, StoreError> {
        let disk = self.store.disk();
        disk.sync(&self.file).map_err(self.failed())?;
        let hashed = self.name_after_content(expect, progress)?;
        disk.sync_folder(Folder::Blobs).and_then(|()| self.forget_state()).map_err(self.failed())?;
        Ok(hashed)
    }

    /// Reads back what the file holds, whose bytes were synced, and gives it the name of a blob if all that was expected is
    /// true. That this name survives is the caller's to see to, and so is the saved state.
    pub(super) fn name_after_content(
        &self,
        expect: &ExpectedBlob<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Hashed, StoreError> {
        let disk = self.store.disk();
        let hashed = hash_file(&self.file, progress).map_err(self.failed())?;
        expect.check(&format!("the file of {}", self.key), &hashed)?;
        let named = disk.protect(&self.file);
        let named = named
            .and_then(|()| disk.rename(&StoreFile::PartialBlob(self.key), &StoreFile::Blob(hashed.sha256)));
        named.map_err(self.failed())?;
        Ok(hashed)
    }

    /// The file that is being written.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives up: removes what is there.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn discard(self) -> Result<(), StoreError> {
        self.forget_state().map_err(self.failed())?;
        self.store.disk.unlink(&StoreFile::PartialBlob(self.key)).map_err(self.failed())
    }

    /// Removes the saved state, and sees to it that it does not come back beside other bytes.
    pub(super) fn forget_state(&self) -> io::Result<()> {
        match self.store.disk.unlink(&StoreFile::PartState(self.key)) {
            Ok(()) => self.store.disk.sync_folder(Folder::Tmp),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> StoreError {
        StoreError::io(format!("writing {}", self.key))
    }
}

impl ExpectedBlob<'_> {
    /// Compares what was found with everything that was promised.
    pub(crate) fn check(&self, what: &str, hashed: &Hashed) -> Result<(), StoreError> {
        if let Some(expected) = self.length
            && expected != hashed.length
        {
            return Err(StoreError::Length { what: what.to_owned(), expected, found: hashed.length });
        }
        for expected in self.digests {
            let found = match expected.algorithm {
                Algorithm::Sha256 => hashed.sha256,
                Algorithm::Blake3 => hashed.blake3,
            };
            if found != *expected {
                return Err(StoreError::Differs { what: what.to_owned(), expected: *expected, found });
            }
        }
        Ok(())
    }
}

/// What Unix counts the blocks of files in, whatever the disk does.
const BLOCK_BYTES: u64 = 512;
/// More ranges than any download leaves.
const STATE_BYTES_MAX: u64 = 1 << 20;
