//! Models that lie on this machine already, in the caches of other programs or anywhere else.
//!
//! Nothing that those programs say about their files is believed: everything is read and hashed. A file is shared with
//! the store by reflink where the disk can do that; otherwise the store remembers where it lies. It is never linked,
//! for the other program could then write into the store.

mod caches;
mod folder;

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use stack_seal::digest::{Digest, Sha256Hasher};

pub use caches::{hub_models, lm_studio_models, ollama_models};
pub use folder::path_models;

use crate::manifest::{ConfigFacts, FileFormat, FilePath, media_type_of};
use crate::model::{add_model, describe_file};
use crate::name::Name;
use crate::store::Lease;
use crate::store::{
    Batch, BeginOutcome, Entry, ExpectedBlob, External, ExternalKind, Hashed, PartialBlob, Rebind, Record,
    Store, StoreError, hash_file,
};

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name that it would have.
    pub name: Name,
    /// Whose it is.
    pub kind: ExternalKind,
    /// Where it came from, as a reference.
    pub origin: String,
    /// The upstream's commit, if the cache knows it.
    pub commit: Option<String>,
    /// Its files: more than one for a model in parts.
    pub files: Vec<FoundFile>,
}

/// A file of a model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path in the model.
    pub path: FilePath,
    /// Where it lies.
    pub at: PathBuf,
    /// Bytes, as far as a look tells.
    pub bytes: u64,
    /// The digest by which its program knows it.
    pub digest: Option<Digest>,
}

/// Says why a file cannot be what its name says.
pub type Inspect<'a> = dyn Fn(&FilePath, &Path) -> Result<(), String> + 'a;

/// How a model is adopted.
#[derive(Clone, Copy)]
pub struct AdoptOptions<'a> {
    /// The name that it gets.
    pub name: &'a Name,
    /// How its files become part of the store.
    pub mode: AdoptMode,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Looks at a file before it is taken.
    pub inspect: &'a Inspect<'a>,
}

/// How a file becomes part of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptMode {
    /// Shared on disk where that is possible, else remembered where it lies.
    Share,
    /// Shared on disk, or not at all.
    Clone,
    /// Copied.
    Copy,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptOutcome {
    /// It shares its bytes with the store.
    Cloned,
    /// It was copied.
    Copied,
    /// It stays where it is, and the store knows where.
    InPlace,
    /// The store had it already.
    Present,
}

/// A model that was adopted.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Its name and what it means.
    pub entry: Entry,
    /// What happened to each file.
    pub files: Vec<(FoundFile, Hashed, AdoptOutcome)>,
}

/// A failed adoption.
#[derive(Debug)]
pub enum AdoptError {
    /// A file cannot be read, or changes while it is.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no GGUF file.
    NotGguf(PathBuf),
    /// A file that is damaged.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// This disk cannot share bytes between the file and the store.
    NoClone(PathBuf),
    /// The store failed.
    Store(StoreError),
}

/// A model that was taken, and whether it got its name.
pub type Outcome = (Adopted, Result<(), StoreError>);

/// Models that are adopted together. They have their names after [`Adoption::finish`].
pub struct Adoption {
    store: Store,
    lease: Lease,
    batch: Batch,
    rebind: Rebind,
    taken: Vec<Adopted>,
    bytes: u64,
}

impl Adoption {
    /// Begins with none.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn new(store: &Store, rebind: Rebind) -> Result<Self, StoreError> {
        let (lease, batch) = (store.lease()?, Batch::new(store));
        Ok(Self { store: store.clone(), lease, batch, rebind, taken: Vec::new(), bytes: 0 })
    }

    /// Reads a model and writes all that it takes to name it.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is no GGUF file, or the disk refuses.
    pub fn take(
        &mut self,
        found: &Found,
        options: &AdoptOptions<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), AdoptError> {
        let mut files = Vec::new();
        let mut layers = Vec::new();
        let mut before = 0;
        for file in &found.files {
            let told = |done| progress(before + done);
            let (hashed, kept) = self.take_file(file, found.kind, options, &told)?;
            if let Some(known) = file.digest.filter(|known| *known != hashed.sha256) {
                if kept != AdoptOutcome::Present {
                    self.batch.finish()?;
                    self.store.drop_damaged(&hashed.sha256)?;
                }
                let problem = format!("it has the digest {}, but is known as {known}", hashed.sha256);
                return Err(AdoptError::Damaged { path: file.at.clone(), problem });
            }
            layers.push(describe_file(media_type_of(&file.path), &file.path, &hashed));
            before += hashed.length;
            files.push((file.clone(), hashed, kept));
        }
        let facts = ConfigFacts { format: Some(FileFormat::Gguf), ..ConfigFacts::default() };
        let manifest = add_model(&mut self.batch, &self.lease, &facts, layers)?;
        let record = Record {
            origin: Some(found.origin.clone()),
            commit: found.commit.clone(),
            signer: None,
            named_at: Some(options.now),
            sealed_here: false,
        };
        let entry = Entry { name: options.name.clone(), manifest, record };
        self.bytes += before;
        self.taken.push(Adopted { entry, files });
        Ok(())
    }

    /// Whether those that were taken should get their names now: an interruption would cost more than the waiting.
    pub fn is_due(&self) -> bool {
        self.taken.len() >= MODELS_MAX || self.bytes >= BYTES_MAX
    }

    /// Names those that were taken, and tells of each whether it got its name.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn finish(&mut self) -> Result<Vec<Outcome>, StoreError> {
        self.batch.finish()?;
        self.bytes = 0;
        let taken = std::mem::take(&mut self.taken);
        let entries: Vec<Entry> = taken.iter().map(|adopted| adopted.entry.clone()).collect();
        if self.store.bind_all(&self.lease, &entries, self.rebind).is_ok() {
            return Ok(taken.into_iter().map(|adopted| (adopted, Ok(()))).collect());
        }
        // One that cannot have its name says nothing about the others.
        let bind = |adopted: Adopted| {
            let outcome = self.store.bind(&self.lease, &adopted.entry, self.rebind);
            (adopted, outcome)
        };
        Ok(taken.into_iter().map(bind).collect())
    }

    fn take_file(
        &mut self,
        found: &FoundFile,
        kind: ExternalKind,
        options: &AdoptOptions<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Hashed, AdoptOutcome), AdoptError> {
        let (mode, store) = (options.mode, &self.store);
        let failed = |source| AdoptError::Io { path: found.at.clone(), source };
        // Caches are full of links; what counts is the file behind them, from here on.
        let path = found.at.canonicalize().map_err(failed)?;
        let source = open_gguf(&path)?;
        (options.inspect)(&found.path, &path)
            .map_err(|problem| AdoptError::Damaged { path: found.at.clone(), problem })?;
        let modified = source.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        if mode != AdoptMode::Copy
            && let Some(part) = scratch(store, &path)?
        {
            if part.reflink(&source)? {
                let hashed = part.publish(&ExpectedBlob::default(), progress)?;
                self.lease.add(&hashed.sha256)?;
                return Ok((hashed, AdoptOutcome::Cloned));
            }
            part.discard()?;
            if mode == AdoptMode::Clone {
                return Err(AdoptError::NoClone(path));
            }
        }
        if mode == AdoptMode::Copy
            && let Some(part) = scratch(store, &path)?
        {
            copy(&source, &part, progress).map_err(|error| match error {
                CopyError::Read(source) => AdoptError::Io { path: found.at.clone(), source },
                CopyError::Write(error) => error.into(),
            })?;
            let hashed = part.publish(&ExpectedBlob::default(), &|_| {})?;
            self.lease.add(&hashed.sha256)?;
            return Ok((hashed, AdoptOutcome::Copied));
        }
        let hashed = hash_file(&source, progress).map_err(failed)?;
        if source.metadata().and_then(|metadata| metadata.modified()).map_err(failed)? != modified {
            return Err(failed(io::Error::other("the file changed while it was read")));
        }
        self.lease.add(&hashed.sha256)?;
        if store.has(&hashed.sha256)? {
            return Ok((hashed, AdoptOutcome::Present));
        }
        self.batch.note(&hashed.sha256, &External { path, size: hashed.length, kind })?;
        Ok((hashed, AdoptOutcome::InPlace))
    }
}

/// Begins a part whose digest is not known yet, named after where the file lies.
fn scratch(store: &Store, path: &Path) -> Result<Option<PartialBlob>, StoreError> {
    let mut hasher = Sha256Hasher::new();
    hasher.update(b"adopt ");
    hasher.update(path.as_os_str().as_encoded_bytes());
    let key = hasher.finish();
    loop {
        match store.begin(&key)? {
            BeginOutcome::Mine(part) => return Ok(Some(part)),
            BeginOutcome::Present => return Ok(None),
            // Another process adopts the same file, and is done with it soon.
            BeginOutcome::Busy => thread::sleep(PAUSE),
        }
    }
}

enum CopyError {
    Read(io::Error),
    Write(StoreError),
}

fn copy(source: &File, part: &PartialBlob, progress: &dyn Fn(u64)) -> Result<(), CopyError> {
    part.restart().map_err(CopyError::Write)?;
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        match source.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                part.write_at(&buffer[..count], offset).map_err(CopyError::Write)?;
                offset += count as u64;
                progress(offset);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}

/// Opens a regular file that begins as GGUF files do.
fn open_gguf(path: &Path) -> Result<File, AdoptError> {
    let failed = |source| AdoptError::Io { path: path.to_owned(), source };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(failed)?;
    let mut magic = [0; 4];
    let is_gguf = file.metadata().map_err(failed)?.is_file()
        && file.read_exact_at(&mut magic, 0).is_ok()
        && magic == *b"GGUF";
    if is_gguf { Ok(file) } else { Err(AdoptError::NotGguf(path.to_owned())) }
}

impl AdoptError {
    /// The reason code, which is part of the command line's contract.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "no-such-file",
            Self::Io { .. } => "io",
            Self::NotGguf(_) => "not-gguf",
            Self::Damaged { .. } => "damaged",
            Self::NoClone(_) => "no-reflink",
            Self::Store(error) => error.code(),
        }
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "{} cannot be adopted", path.display()),
            Self::NotGguf(path) => write!(f, "{} is not a GGUF file", path.display()),
            Self::Damaged { path, problem } => write!(f, "{} is damaged: {problem}", path.display()),
            Self::NoClone(path) => {
                write!(f, "the file system cannot share the bytes of {} with the store", path.display())
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for AdoptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for AdoptError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How long to wait before looking again what another process does.
const PAUSE: Duration = Duration::from_millis(50);
/// How many models wait for their names at most, and how many bytes of them.
const MODELS_MAX: usize = 100;
const BYTES_MAX: u64 = 1 << 30;
