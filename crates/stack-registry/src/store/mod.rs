//! The store: an OCI image layout whose blobs are what their names say.
//!
//! What it keeps, whatever happens: a file lies under `blobs/` only after its digest matched; the index is whole; what
//! the index names is there. See `docs/formats/store.md`.

mod batch;
mod disk;
mod error;
mod external;
mod folders;
mod hashing;
mod lease;
mod lock;
mod names;
mod part;
mod place;
mod ranges;
mod rebuild;
mod signers;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stack_seal::digest::{Algorithm, Digest, Sha256Hasher};

pub(crate) use batch::Batch;
pub use disk::{Disk, OsDisk};
pub use error::StoreError;
pub use external::{External, ExternalKind};
pub use folders::Folders;
pub use hashing::{Hashed, hash_file};
pub use lease::Lease;
pub(crate) use lease::Leased;
pub(crate) use lock::{Hold, try_lock};
pub use names::{Entry, Rebind, Record, Referrer};
pub use part::{BeginOutcome, ExpectedBlob, PartialBlob};
pub use place::{Folder, StoreFile};
pub use ranges::Ranges;
pub(crate) use signers::{keeps_signer, kept_signers};

use crate::manifest::{BadDocument, DOCUMENT_BYTES_MAX, Index, Manifest};

/// A store. Clones are handles of the same one.
#[derive(Clone)]
pub struct Store {
    disk: Arc<dyn Disk>,
    pub(crate) folders: Arc<Folders>,
}

/// A blob that is there.
#[derive(Debug)]
pub struct Blob {
    /// Its SHA-256 digest.
    pub digest: Digest,
    /// The open file.
    pub file: File,
    /// Bytes.
    pub length: u64,
    /// Where the file lies: in the store, or where it was adopted.
    pub path: PathBuf,
    /// Whether it belongs to the store. What was adopted may be changed by others at any time.
    pub own: bool,
}

impl Store {
    /// Opens the store beneath `home`, and makes what is missing.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        let path = home.join(FOLDER);
        let failed = |error| StoreError::io(format!("opening the store {}", path.display()))(error);
        let folders = Arc::new(Folders::create(&path).map_err(failed)?);
        let store = Self::with_disk(Arc::clone(&folders), Arc::new(OsDisk::new(folders)));
        store.write_layout()?;
        Ok(store)
    }

    /// Opens the store beneath `home` for those who only read; `None` if there is no store yet.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn existing(home: &Path) -> Result<Option<Self>, StoreError> {
        let path = home.join(FOLDER);
        match Folders::open(&path) {
            Ok(folders) => {
                let folders = Arc::new(folders);
                Ok(Some(Self::with_disk(Arc::clone(&folders), Arc::new(OsDisk::new(folders)))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(format!("opening the store {}", path.display()))(error)),
        }
    }

    /// Makes a store of folders and of a disk that changes them. New ones need [`Self::write_layout`] before anything else.
    pub fn with_disk(folders: Arc<Folders>, disk: Arc<dyn Disk>) -> Self {
        Self { disk, folders }
    }

    /// The path of the store.
    pub fn path(&self) -> &Path {
        self.folders.path()
    }

    /// Whether a blob is there: in the store, or where it was adopted. Nothing of it is read. A note of where it was
    /// adopted that makes no sense leads nowhere.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn has(&self, digest: &Digest) -> Result<bool, StoreError> {
        match self.blob(digest) {
            Ok(_) => Ok(true),
            Err(
                StoreError::NotInStore { .. }
                | StoreError::Vanished { .. }
                | StoreError::Length { .. }
                | StoreError::Changed { .. }
                | StoreError::Malformed { .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a blob.
    ///
    /// # Errors
    ///
    /// When the store does not have it, or no longer: an adopted file may vanish or change its length.
    pub fn blob(&self, digest: &Digest) -> Result<Blob, StoreError> {
        if digest.algorithm != Algorithm::Sha256 {
            return Err(StoreError::missing(digest));
        }
        let place = StoreFile::Blob(*digest);
        match self.folders.read(&place) {
            Ok(file) => {
                let length = file.metadata().map_err(StoreError::io(format!("looking at {digest}")))?.len();
                Ok(Blob { digest: *digest, file, length, path: self.folders.path_of(&place), own: true })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.adopted_blob(digest),
            Err(error) => Err(StoreError::io(format!("opening {digest}"))(error)),
        }
    }

    /// Drops a blob that is not what its name says, or the note of where an adopted file lies. Whoever reads it now goes
    /// on doing so; whoever needs it next fetches it.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn drop_damaged(&self, digest: &Digest) -> Result<(), StoreError> {
        for place in [StoreFile::Blob(*digest), StoreFile::External(*digest)] {
            match self.disk.unlink(&place) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io(format!("removing {digest}"))(error)),
            }
        }
        Ok(())
    }

    /// Reads a small blob whole and checks its digest.
    ///
    /// # Errors
    ///
    /// When it is not there, is longer than `bytes_max`, or is not what its name says.
    pub fn read(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, StoreError> {
        let blob = self.blob(digest)?;
        let mut bytes = Vec::new();
        let reading = StoreError::io(format!("reading {digest}"));
        blob.file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(reading)?;
        if bytes.len() > bytes_max {
            let (expected, found) = (bytes_max as u64, blob.length);
            return Err(StoreError::Length { what: digest.to_string(), expected, found });
        }
        let found = sha256_of(&bytes);
        if found == *digest {
            Ok(bytes)
        } else {
            Err(StoreError::Differs { what: "a blob of the store".to_owned(), expected: *digest, found })
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it is not there, not what its name says, or malformed.
    pub fn manifest(&self, digest: &Digest) -> Result<Manifest, StoreError> {
        let bytes = self.read(digest, DOCUMENT_BYTES_MAX)?;
        Manifest::parse(&bytes)
            .map_err(|source| StoreError::malformed(format!("the manifest {digest}"), source))
    }

    /// Puts bytes into the store and returns their digest. The lease keeps them there until something names them.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn put(&self, lease: &Lease, bytes: &[u8]) -> Result<Digest, StoreError> {
        let mut batch = Batch::new(self);
        let digest = batch.put(lease, bytes)?;
        batch.finish()?;
        Ok(digest)
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Writes a small file so that after a crash it is whole: the old one or the new one.
    pub(crate) fn replace(&self, new: &StoreFile, place: &StoreFile, bytes: &[u8]) -> io::Result<()> {
        let file = self.write_aside(new, bytes)?;
        self.disk.sync(&file)?;
        self.disk.rename(new, place)?;
        self.disk.sync_folder(place.folder())
    }

    /// Writes a small file that is to take the place of another one.
    fn write_aside(&self, new: &StoreFile, bytes: &[u8]) -> io::Result<File> {
        let file = self.disk.create(new)?;
        // Written over what is left there, which on a full disk is the space that was set aside.
        self.disk.write(&file, bytes, 0)?;
        self.disk.resize(&file, bytes.len() as u64)?;
        Ok(file)
    }

    /// Marks the folder as an OCI image layout, with an index from the beginning. One that is marked stays as it is.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn write_layout(&self) -> Result<(), StoreError> {
        let attempt = "writing oci-layout";
        if self.folders.stat(&StoreFile::Layout).map_err(StoreError::io(attempt))?.is_some() {
            return Ok(());
        }
        let _lock = match self.lock_index() {
            Ok(lock) => lock,
            // Nothing can be written here; what is there can be read all the same.
            Err(StoreError::Io { source, .. }) if is_read_only(&source) => return Ok(()),
            Err(error) => return Err(error),
        };
        // The index comes first: blobs without one have lost it, and an empty one would let them be collected.
        let has_index = self.folders.stat(&StoreFile::Index).map_err(StoreError::io(attempt))?.is_some();
        if !has_index && self.folders.list(Folder::Blobs).map_err(StoreError::io(attempt))?.is_empty() {
            let index = Index::default().to_bytes();
            self.replace(&StoreFile::IndexNew, &StoreFile::Index, &index).map_err(StoreError::io(attempt))?;
        }
        // Whoever crashed while it was written left a file that another name shows to be unfinished.
        self.replace(&StoreFile::IndexNew, &StoreFile::Layout, LAYOUT).map_err(StoreError::io(attempt))
    }
}

impl StoreError {
    pub(crate) fn malformed(what: impl Into<String>, source: BadDocument) -> Self {
        Self::Malformed { what: what.into(), source }
    }
}

fn sha256_of(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

pub(crate) fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

const MOMENT: Duration = Duration::from_millis(5);
/// The store beneath `$STACK_HOME`.
const FOLDER: &str = "store";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
