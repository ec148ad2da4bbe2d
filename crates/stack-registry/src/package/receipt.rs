//! What an import proves to whoever sent the package.

use serde::Serialize;
use stack_seal::digest::Digest;

use super::import::{Imported, Outcome};
use crate::json;

/// What was imported, by digests.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    format: &'static str,
    version: u32,
    /// When, as RFC 3339 says it.
    at: String,
    /// The SHA-256 digest of the package's list, which names everything else.
    list: String,
    models: Vec<Model>,
    blobs: Vec<Blob>,
}

#[derive(Clone, Debug, Serialize)]
struct Model {
    name: String,
    manifest: String,
}

#[derive(Clone, Debug, Serialize)]
struct Blob {
    sha256: String,
    blake3: String,
    size: u64,
    outcome: &'static str,
}

impl Receipt {
    /// Writes a receipt for an import that succeeded at a time.
    pub fn new(imported: &Imported, at: String) -> Self {
        let models = imported
            .models
            .iter()
            .map(|(name, manifest)| Model { name: name.to_string(), manifest: manifest.to_string() });
        let blobs = imported.blobs.iter().map(|(member, outcome)| Blob {
            sha256: member.sha256.to_string(),
            blake3: member.blake3.to_string(),
            size: member.size,
            outcome: match outcome {
                Outcome::Copied => "copied",
                Outcome::Present => "present",
            },
        });
        Self {
            format: "stack-receipt",
            version: 1,
            at,
            list: Digest::to_string(&imported.list),
            models: models.collect(),
            blobs: blobs.collect(),
        }
    }

    /// The receipt as bytes, which may be signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_pretty_bytes(self)
    }
}
