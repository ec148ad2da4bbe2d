//! Models into the store.
//!
//! A pull has two halves. The first finds out what a source offers: [`from_hub`], [`from_registry`],
//! [`from_address`]. The second, [`Puller::pull`], fetches what the store lacks, checks it, and gives it a name:
//!
//! ```text
//! lease → each file: wait for whoever fetches it, resume, download, publish → manifest → signatures → name
//! ```
//!
//! Each step leaves the store sound, so that a crash between any two loses nothing but time.

mod error;
mod repair;
pub(crate) mod signer;
mod small;
mod standing;
mod upstream;

use std::thread;
use std::time::Duration;

use stack_seal::digest::{Digest, LeafList};

use crate::download::{Download, DownloadError};
use crate::fetch::{Cancel, Fetch};
use crate::manifest::{Descriptor, FileFormat, FilePath, Manifest, Role, key, kind, model_config};
use crate::name::Name;
use crate::progress::{Progress, Watch};
use crate::scheduler::Limits;
use crate::store::{
    BeginOutcome, Blob, Entry, Hashed, Lease, PartialBlob, Ranges, Rebind, Record, Store, StoreError,
    hash_file, kept_signers,
};
use crate::throttle::SharedThrottle;

pub use error::{TransferError, TransferErrorKind};
pub use upstream::{Upstream, UpstreamFile, from_address, from_hub, from_registry};

/// What a pull works with.
pub struct Puller<'a> {
    /// Where models go.
    pub store: &'a Store,
    /// The way to the network.
    pub fetch: &'a dyn Fetch,
    /// Who is told.
    pub watch: Watch<'a>,
    /// Ends it; partial data stays.
    pub cancel: &'a Cancel,
    /// What downloads may use.
    pub limits: Limits,
    /// How fast, all together.
    pub throttle: Option<SharedThrottle>,
    /// Scatters waits.
    pub seed: u64,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Looks at a file of weights before anything is named: an error page and half a file are no model.
    pub inspect: &'a Inspect<'a>,
}

/// Says why a file cannot be what its path says.
pub type Inspect<'a> = dyn Fn(&FilePath, &Blob) -> Result<(), String> + 'a;

/// What became of a pull.
#[derive(Clone, Debug)]
pub enum Pulled {
    /// The name means the model now.
    Named(Entry),
    /// It meant the same model before.
    Unchanged(Entry),
    /// It means another one, and still does: nobody asked for the change.
    Kept(Entry),
}

/// What became of one file.
enum Fetched {
    There(Descriptor),
    /// Another process fetched the same address meanwhile, and nobody knows its digest.
    LookAgain,
}

impl Puller<'_> {
    /// Fetches a model and names it.
    ///
    /// # Errors
    ///
    /// When something of it does not come, is not what was promised, or the disk refuses. What came stays for the next
    /// attempt, unless it is wrong.
    pub fn pull(
        &self,
        upstream: &Upstream<'_>,
        name: &Name,
        rebind: Rebind,
    ) -> Result<Pulled, TransferError> {
        refuse_no_weights(upstream)?;
        for note in &upstream.passed_over {
            (self.watch)(Progress::Note(note));
        }
        let lease = self.store.lease()?;
        if let Some(standing) = self.standing(upstream, name, rebind, &lease)? {
            return Ok(standing);
        }
        self.plan(upstream)?;
        let mut manifest = self.fetch_all(upstream, &lease)?;
        if manifest.is_none() {
            // Whoever fetched the file is about to name it.
            for _ in 0..LOOKS {
                if let Some(standing) = self.standing(upstream, name, rebind, &lease)? {
                    return Ok(standing);
                }
                self.pause()?;
            }
            manifest = self.fetch_all(upstream, &lease)?;
        }
        let busy = || {
            TransferError::new(
                TransferErrorKind::Locked,
                "other processes fetch the same file again and again",
            )
        };
        self.name(upstream, name, manifest.ok_or_else(busy)?, &lease, rebind)
    }

    /// Says how much there is to fetch, and refuses what the disk has no room for before any of it is fetched.
    fn plan(&self, upstream: &Upstream<'_>) -> Result<(), TransferError> {
        let mut needed = 0_u64;
        for file in &upstream.files {
            needed = needed.saturating_add(self.store.lacks(&file.key, file.size)?);
        }
        let free = self.store.folders.free_bytes();
        match free {
            Some(free) if needed > free => Err(StoreError::NoRoom { needed, free }.into()),
            _ if needed == 0 => Ok(()),
            _ => {
                (self.watch)(Progress::Planned { needed, free });
                Ok(())
            }
        }
    }

    /// Fetches every file and returns the manifest, or nothing if the first look was too early.
    fn fetch_all(&self, upstream: &Upstream<'_>, lease: &Lease) -> Result<Option<Descriptor>, TransferError> {
        let mut layers = Vec::new();
        for file in &upstream.files {
            if file.size == 0 && file.media_type == kind::WEIGHTS {
                let message = format!("{} is empty", file.path);
                return Err(TransferError::new(TransferErrorKind::BadAnswer, message));
            }
            lease.add(&file.key)?;
            let leaves = repair::leaves(&upstream.bundles, file);
            match self.fetch(file, leaves.as_ref(), lease)? {
                Fetched::There(layer) => {
                    self.look(file, &layer)?;
                    layers.push(layer);
                }
                Fetched::LookAgain => return Ok(None),
            }
        }
        if let Some((descriptor, bytes)) = &upstream.manifest {
            self.store.put(lease, bytes)?;
            return Ok(Some(descriptor.clone()));
        }
        let digests: Vec<_> = layers.iter().map(|layer| layer.digest).collect();
        let config = model_config(&upstream.facts, &digests);
        self.store.put(lease, &config)?;
        let manifest = Manifest::model(Descriptor::of(kind::MODEL_CONFIG, &config), layers);
        let bytes = manifest.to_bytes();
        self.store.put(lease, &bytes)?;
        let mut descriptor = Descriptor::of(kind::MANIFEST, &bytes);
        descriptor.artifact_type.clone_from(&manifest.artifact_type);
        Ok(Some(descriptor))
    }

    /// Looks at weights that have come from a bare address: nobody vouches for what they are.
    fn look(&self, file: &UpstreamFile<'_>, layer: &Descriptor) -> Result<(), TransferError> {
        if file.media_type != kind::WEIGHTS || !file.digests.is_empty() || file.git_blob.is_some() {
            return Ok(());
        }
        let blob = self.store.blob(&layer.digest)?;
        (self.inspect)(&file.path, &blob).map_err(|problem| {
            TransferError::new(TransferErrorKind::NotAModel, format!("{}: {problem}", file.path))
        })
    }

    fn name(
        &self,
        upstream: &Upstream<'_>,
        name: &Name,
        manifest: Descriptor,
        lease: &Lease,
        rebind: Rebind,
    ) -> Result<Pulled, TransferError> {
        let mut signer = signer::signers(&upstream.bundles, &self.store.manifest(&manifest.digest)?);
        if let Ok(before) = self.store.resolve(name) {
            let before = before.record.signer;
            signer::refuse_changed(&name.short(), before.as_deref(), signer.as_deref())?;
            signer = kept_signers(before.as_deref(), signer.as_deref());
        }
        for bundle in &upstream.bundles {
            self.store.attach(lease, &manifest, kind::BUNDLE, bundle)?;
        }
        let record = Record {
            origin: Some(upstream.origin.clone()),
            commit: upstream.commit.clone(),
            signer,
            named_at: Some(self.now),
            sealed_here: false,
        };
        let entry = Entry { name: name.clone(), manifest, record };
        match self.store.bind(lease, &entry, rebind) {
            Ok(()) => Ok(Pulled::Named(entry)),
            Err(StoreError::NameTaken { .. }) => Ok(Pulled::Kept(self.store.resolve(name)?)),
            Err(error) => Err(error.into()),
        }
    }

    fn fetch(
        &self,
        file: &UpstreamFile<'_>,
        leaves: Option<&LeafList>,
        lease: &Lease,
    ) -> Result<Fetched, TransferError> {
        if file.git_blob.is_some() && file.size <= SMALL_BYTES_MAX {
            return self.fetch_small(file, lease).map(Fetched::There);
        }
        let (path, total) = (file.path.as_str(), file.size);
        let mut waited = false;
        let part = loop {
            match self.store.begin(&file.key)? {
                BeginOutcome::Present => match self.present(file)? {
                    Some(layer) => return Ok(Fetched::There(layer)),
                    // It was damaged, and is gone now.
                    None => self.store.drop_damaged(&file.key)?,
                },
                BeginOutcome::Mine(part) if waited && file.sha256().is_none() => {
                    part.discard()?;
                    return Ok(Fetched::LookAgain);
                }
                BeginOutcome::Mine(part) => break part,
                BeginOutcome::Busy => {
                    waited = true;
                    let have = self.store.part_bytes(&file.key);
                    (self.watch)(Progress::Waiting { file: path, total, have });
                    self.pause()?;
                }
            }
        };
        let hashed = match self.download(file, part, None) {
            // Wrong bytes may be left from an earlier attempt, or of a broken transfer. A second time they are the
            // server's.
            Err(error) if matches!(error.kind, TransferErrorKind::DigestMismatch) => {
                self.download_again(file, leaves)?
            }
            outcome => outcome?,
        };
        lease.add(&hashed.sha256)?;
        (self.watch)(Progress::Finished { file: path, total });
        Ok(Fetched::There(described(file, &hashed)))
    }

    /// Fetches what is wrong once more: the broken spans where somebody lists them, else everything.
    fn download_again(
        &self,
        file: &UpstreamFile<'_>,
        leaves: Option<&LeafList>,
    ) -> Result<Hashed, TransferError> {
        let path = file.path.as_str();
        let part = self.part(&file.key)?;
        let sound = leaves.map(|leaves| repair::sound(&part, leaves)).transpose()?.flatten();
        if let Some(sound) = sound {
            let broken = file.size - sound.bytes();
            (self.watch)(Progress::Note(&format!(
                "{broken} bytes of {path} are wrong; they are fetched once more"
            )));
            match self.download(file, part, Some(sound)) {
                Err(error) if matches!(error.kind, TransferErrorKind::DigestMismatch) => {}
                outcome => return outcome,
            }
        } else {
            drop(part);
        }
        (self.watch)(Progress::Note(&format!("{path} is not what was promised; it is fetched once more")));
        let part = self.part(&file.key)?;
        part.restart()?;
        self.download(file, part, None).inspect_err(|error| {
            if matches!(error.kind, TransferErrorKind::DigestMismatch)
                && let Ok(part) = self.part(&file.key)
            {
                // A bad part that stays would only be found bad again.
                let _stays = part.discard();
            }
        })
    }

    /// Fetches into a part and publishes it.
    fn download(
        &self,
        file: &UpstreamFile<'_>,
        part: PartialBlob,
        sound: Option<Ranges>,
    ) -> Result<Hashed, TransferError> {
        let (path, total) = (file.path.as_str(), file.size);
        if file.digests.is_empty() && part.validator().is_none() {
            // Nothing could tell whether what is there and what is to come belong together.
            part.restart()?;
        }
        let there = sound.clone().unwrap_or_else(|| part.ranges());
        let have = if part.length() == Some(total) { there.bytes() } else { 0 };
        let host = file.location.request().url.origin().authority();
        (self.watch)(Progress::Started { file: path, total, have, host: &host });
        let download = Download {
            fetch: self.fetch,
            location: &*file.location,
            length: total,
            have: sound,
            limits: self.limits.clone(),
            throttle: self.throttle.as_ref(),
            cancel: self.cancel,
            seed: self.seed,
        };
        let moved = |have| (self.watch)(Progress::Moved { file: path, total, have });
        download
            .run(&part, &moved)
            .map_err(|error: DownloadError| TransferError::downloading(path, error))?;
        let checked = |have| (self.watch)(Progress::Checking { file: path, total, have });
        part.publish(&file.expected(), &checked).map_err(|error| match error {
            StoreError::Differs { expected, found, .. } => TransferError::new(
                TransferErrorKind::DigestMismatch,
                format!("{path} does not match its digest: it has {found}, not {expected}"),
            ),
            error => error.into(),
        })
    }

    /// Takes a part again.
    fn part(&self, key: &Digest) -> Result<PartialBlob, TransferError> {
        loop {
            match self.store.begin(key)? {
                BeginOutcome::Mine(part) => return Ok(part),
                BeginOutcome::Present | BeginOutcome::Busy => self.pause()?,
            }
        }
    }

    /// Describes a file that the store has, or nothing if its bytes are damaged. They are read, because a name follows.
    fn present(&self, file: &UpstreamFile<'_>) -> Result<Option<Descriptor>, TransferError> {
        let (path, total) = (file.path.as_str(), file.size);
        let blob = self.store.blob(&file.key)?;
        let checked = |have| (self.watch)(Progress::Checking { file: path, total, have });
        let hashed = hash_file(&blob.file, &checked).map_err(|error| {
            TransferError::new(TransferErrorKind::Machine, format!("{} cannot be read", blob.path.display()))
                .caused(error)
        })?;
        if hashed.sha256 != file.key {
            return Ok(None);
        }
        file.expected().check(path, &hashed)?;
        (self.watch)(Progress::Finished { file: path, total });
        Ok(Some(described(file, &hashed)))
    }

    fn pause(&self) -> Result<(), TransferError> {
        if self.cancel.is_cancelled() {
            return Err(TransferError::new(TransferErrorKind::Interrupted, "interrupted"));
        }
        thread::sleep(PAUSE);
        Ok(())
    }
}

/// Refuses what holds no weights, before any of it is fetched: nothing could run it.
fn refuse_no_weights(upstream: &Upstream<'_>) -> Result<(), TransferError> {
    let is_weights =
        |file: &UpstreamFile<'_>| matches!(Role::of(&file.media_type), Role::Weights | Role::SealedPayload);
    if upstream.files.iter().any(is_weights) {
        return Ok(());
    }
    let files: Vec<_> = upstream.files.iter().map(|file| file.path.as_str()).collect();
    let endings = FileFormat::ALL.map(FileFormat::extension).join(" or ");
    let message =
        format!("{} holds no weights: no name ends in {endings} ({})", upstream.origin, files.join(", "));
    Err(TransferError::new(TransferErrorKind::NotAModel, message))
}

fn described(file: &UpstreamFile<'_>, hashed: &Hashed) -> Descriptor {
    Descriptor::new(&file.media_type, hashed.sha256, hashed.length)
        .with(key::FILE_PATH, file.path.as_str())
        .with(key::BLAKE3, hashed.blake3.to_string())
}

/// Files with a git id are fetched into memory up to this size; hubs keep larger ones under a SHA-256 digest.
const SMALL_BYTES_MAX: u64 = 16 << 20;
/// How long to wait before looking again what another process does.
const PAUSE: Duration = Duration::from_millis(200);
/// How often to look for the name that another process is about to give.
const LOOKS: u32 = 10;

#[cfg(test)]
mod tests;
