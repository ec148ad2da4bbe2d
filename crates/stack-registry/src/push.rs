//! Models out of the store, into a registry.
//!
//! The order is that of the store itself: first the files, then the manifest that needs them, then what refers to it.
//! A push that breaks off leaves nothing under the tag.

use std::io::{Read, Seek};

use stack_seal::bundle::Bundle;
use stack_seal::digest::Digest;
use stack_seal::statement::{Statement, Tier};

use crate::fetch::Fetch;
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Manifest, Role, kind};
use crate::oci::{Pushed, Remote, attach_referrer, push_blob, push_manifest};
use crate::progress::{Progress, Watch};
use crate::pull::{TransferError, TransferErrorKind};
use crate::store::{Entry, Referrer, Store};

/// What a push works with.
pub struct Pusher<'a> {
    /// Where the model is.
    pub store: &'a Store,
    /// The way to the network.
    pub fetch: &'a dyn Fetch,
    /// Where it goes.
    pub remote: &'a Remote,
    /// Who is told.
    pub watch: Watch<'a>,
    /// Whether weights may go in clear.
    pub weights: Weights,
}

/// In which form weights may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// As they are.
    Any,
    /// Sealed only.
    Sealed,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Files that the registry did not have.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Signatures and other referrers.
    pub referrers: usize,
}

impl Pusher<'_> {
    /// Sends a model to a tag.
    ///
    /// # Errors
    ///
    /// When a signer keeps its weights on this machine, weights are not sealed but must be, something is missing in the
    /// store, or the registry refuses.
    pub fn push(&self, entry: &Entry, tag: &str) -> Result<Sent, TransferError> {
        let digest = entry.manifest.digest;
        let bytes = self.store.read(&digest, DOCUMENT_BYTES_MAX)?;
        let manifest = Manifest::parse(&bytes)?;
        self.refuse_unsealed(entry, &manifest)?;
        let bundles = self.store.referrers(&digest, kind::BUNDLE)?;
        self.refuse_sovereign(entry, &bundles)?;
        let mut sent = Sent::default();
        for needed in manifest.needs() {
            self.send(needed, &mut sent)?;
        }
        push_manifest(self.remote, self.fetch, tag, kind::MANIFEST, bytes)?;
        for referrer in bundles.iter().chain(&self.store.referrers(&digest, kind::LEAVES)?) {
            for needed in referrer.manifest.needs() {
                self.send(needed, &mut sent)?;
            }
            let bytes = self.store.read(&referrer.descriptor.digest, DOCUMENT_BYTES_MAX)?;
            let descriptor = plain(&referrer.descriptor);
            attach_referrer(self.remote, self.fetch, &digest, &descriptor, bytes)?;
            sent.referrers += 1;
        }
        Ok(sent)
    }

    fn send(&self, needed: &Descriptor, sent: &mut Sent) -> Result<(), TransferError> {
        let name = needed.file_path().map_or_else(|| needed.digest.to_string(), |path| path.to_string());
        let total = needed.size;
        let blob = self.store.blob(&needed.digest)?;
        if blob.length != total {
            let message = format!("{name} has {} bytes in the store, not {total}", blob.length);
            return Err(TransferError::new(TransferErrorKind::LengthMismatch, message));
        }
        let host = self.remote.to_string();
        let moved = |have| (self.watch)(Progress::Moved { file: &name, total, have });
        let mut attempts = 1;
        let outcome = loop {
            let open = || -> std::io::Result<Box<dyn Read>> {
                (self.watch)(Progress::Started { file: &name, total, have: 0, host: &host });
                let file = blob.file.try_clone()?;
                // A clone shares its position, and an earlier attempt may have moved it.
                (&file).rewind()?;
                Ok(Box::new(file))
            };
            match push_blob(self.remote, self.fetch, needed, open, &moved) {
                // An upload that broke off is lost, and a new one begins at the beginning.
                Err(error) if error.breaks_upload() && attempts < UPLOADS_MAX => attempts += 1,
                outcome => break outcome?,
            }
        };
        if outcome == Pushed::Sent {
            sent.files += 1;
            sent.bytes += total;
        }
        (self.watch)(Progress::Finished { file: &name, total });
        Ok(())
    }

    fn refuse_unsealed(&self, entry: &Entry, manifest: &Manifest) -> Result<(), TransferError> {
        let plain = manifest.layers.iter().any(|layer| layer.role() == Role::Weights);
        if self.weights == Weights::Sealed && plain {
            let message = format!("the weights of {} are not sealed", entry.name.short());
            return Err(TransferError::new(TransferErrorKind::WeightsTier, message));
        }
        Ok(())
    }

    /// A claim counts here whether its signer is trusted or not: to be too careful costs nothing that matters.
    fn refuse_sovereign(&self, entry: &Entry, bundles: &[Referrer]) -> Result<(), TransferError> {
        for layer in bundles.iter().flat_map(|bundle| &bundle.manifest.layers) {
            let bytes = self.store.read(&layer.digest, stack_seal::statement::BYTES_MAX)?;
            if tier_of(&bytes) == Some(Tier::Sovereign) {
                let message =
                    format!("whoever signed {} keeps its weights on this machine", entry.name.short());
                return Err(TransferError::new(TransferErrorKind::WeightsTier, message));
            }
        }
        Ok(())
    }
}

fn tier_of(bundle: &[u8]) -> Option<Tier> {
    let bundle = Bundle::parse(bundle).ok()?;
    Some(Statement::parse(bundle.payload()).ok()?.claim()?.tier)
}

/// How often a file is sent from its beginning.
const UPLOADS_MAX: u32 = 3;

/// Describes a referrer to others: our index's annotations are not theirs.
fn plain(descriptor: &Descriptor) -> Descriptor {
    let digest: Digest = descriptor.digest;
    let mut plain = Descriptor::new(kind::MANIFEST, digest, descriptor.size);
    plain.artifact_type.clone_from(&descriptor.artifact_type);
    plain
}
