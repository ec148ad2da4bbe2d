//! What a source offers, before any of it is fetched.

mod hub;
mod oci;
mod web;

use stack_seal::digest::{Digest, Sha256Hasher};

use crate::download::Location;
use crate::manifest::{ConfigFacts, Descriptor, FilePath};
use crate::name::Name;
use crate::store::ExpectedBlob;

pub use hub::from_hub;
pub use oci::from_registry;
pub use web::from_address;

/// A model as a source offers it at this moment.
pub struct Upstream<'a> {
    /// What it is called here, unless somebody wants another name.
    pub name: Name,
    /// Where it is, as a reference that leads there again.
    pub origin: String,
    /// What tells this state of it from a later one: a commit, a digest, an `ETag`.
    pub commit: Option<String>,
    /// Whether it was asked for by a revision or a digest: a name that means another state of it is no answer.
    pub exact: bool,
    /// Its manifest, where the source has one; else one is made.
    pub manifest: Option<(Descriptor, Vec<u8>)>,
    /// What is known about it, for the manifest that is made.
    pub facts: ConfigFacts,
    /// Its files.
    pub files: Vec<UpstreamFile<'a>>,
    /// Signature bundles that lie beside it. Nobody has checked them yet.
    pub bundles: Vec<Vec<u8>>,
    /// What is attached to it as a signature and cannot be one, and why.
    pub passed_over: Vec<String>,
}

/// One file of a model.
pub struct UpstreamFile<'a> {
    /// Its path in the model.
    pub path: FilePath,
    /// What it is.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Every digest that is promised.
    pub digests: Vec<Digest>,
    /// The git blob id, which shows a broken transfer of a small file.
    pub git_blob: Option<String>,
    /// What the download goes by until its digest is known.
    pub key: Digest,
    /// Where the bytes are.
    pub location: Box<dyn Location + 'a>,
}

impl UpstreamFile<'_> {
    /// The SHA-256 digest, if it is promised.
    pub fn sha256(&self) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm == stack_seal::digest::Algorithm::Sha256)
    }

    /// What its bytes have to be.
    pub(super) fn expected(&self) -> ExpectedBlob<'_> {
        ExpectedBlob { digests: &self.digests, length: Some(self.size) }
    }

    /// Adds a digest that somebody vouches for.
    pub fn promise(&mut self, digest: Digest) {
        if digest.algorithm == stack_seal::digest::Algorithm::Sha256 && self.sha256().is_none() {
            self.key = digest;
        }
        if !self.digests.contains(&digest) {
            self.digests.push(digest);
        }
    }
}

/// The key of a download whose digest nobody knows.
fn key_of(address: &str) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(b"stack pull ");
    hasher.update(address.as_bytes());
    hasher.finish()
}
