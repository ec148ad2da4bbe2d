//! The documents of the store: OCI manifests, the index, and what stands in them.
//!
//! They come from strangers. Every parser here bounds the bytes, the counts and the depth, refuses fields that come
//! twice, and turns digests, lengths and paths into types that cannot be wrong.

mod annotations;
mod config;
mod file_path;
mod index;
mod media;
mod text;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use stack_seal::digest::{Algorithm, Digest, Sha256Hasher};

use crate::json;

pub use annotations::{Annotations, key};
pub use config::{ConfigFacts, EMPTY_CONFIG, model_config};
pub use file_path::{BadFilePath, FilePath};
pub use index::Index;
pub use media::{FileFormat, Role, kind, media_type_of};

/// A content-addressed reference to bytes: what they are, how many, and their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// The SHA-256 digest; a parsed descriptor has no other.
    #[serde(with = "text::sha256")]
    pub digest: Digest,
    /// Bytes; at most [`SIZE_MAX`] when parsed.
    #[serde(deserialize_with = "text::size")]
    pub size: u64,
    /// What the manifest behind it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// An OCI image manifest: a model, or what refers to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    #[serde(deserialize_with = "text::version_2")]
    schema_version: u8,
    #[serde(default = "media::manifest", deserialize_with = "text::manifest_type")]
    media_type: String,
    /// What the manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The files.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to, such as the model that a signature is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// The fields that tell an image manifest from an index. A document with those of both would be one thing to one reader
/// and another to the next (CVE-2021-41190).
#[derive(Deserialize)]
struct Kinds {
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

/// A document that is not what it should be.
#[derive(Debug)]
pub struct BadDocument {
    what: &'static str,
    fault: String,
}

impl Descriptor {
    /// Describes bytes that are at hand.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::new();
        hasher.update(bytes);
        Self::new(media_type, hasher.finish(), bytes.len() as u64)
    }

    /// Describes bytes that lie elsewhere.
    ///
    /// # Panics
    ///
    /// When the digest is not a SHA-256 one.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        assert_eq!(digest.algorithm, Algorithm::Sha256, "descriptors hold SHA-256 digests");
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: Annotations::default(),
        }
    }

    /// Adds an annotation.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations.set(key, value);
        self
    }

    /// The path of the file in its model, if the descriptor gives one that is safe.
    pub fn file_path(&self) -> Option<FilePath> {
        let path = self.annotations.get(key::FILE_PATH).or_else(|| self.annotations.get(key::TITLE))?;
        FilePath::parse(path).ok()
    }

    /// The BLAKE3 root of the described bytes themselves, if the descriptor gives it. That of a sealed payload is the root
    /// of what it holds, which says nothing about the payload's own bytes.
    pub fn blob_blake3(&self) -> Option<Digest> {
        if self.role() == Role::SealedPayload { None } else { self.blake3() }
    }

    /// The BLAKE3 root of the plain bytes, if the descriptor gives one.
    pub fn blake3(&self) -> Option<Digest> {
        let digest: Digest = self.annotations.get(key::BLAKE3)?.parse().ok()?;
        (digest.algorithm == Algorithm::Blake3).then_some(digest)
    }

    /// What the file is to a model.
    pub fn role(&self) -> Role {
        Role::of(&self.media_type)
    }
}

impl Manifest {
    /// Makes the manifest of a model.
    pub fn model(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::manifest(),
            artifact_type: Some(kind::MODEL_MANIFEST.to_owned()),
            config,
            layers,
            subject: None,
            annotations: Annotations::default(),
        }
    }

    /// Makes a manifest that attaches `layer` to `subject`. Its configuration is OCI's empty one.
    pub fn referrer(artifact_type: &str, layer: Descriptor, subject: Descriptor) -> Self {
        let subject = Descriptor { annotations: Annotations::default(), ..subject };
        Self {
            artifact_type: Some(artifact_type.to_owned()),
            subject: Some(subject),
            ..Self::model(Descriptor::of(kind::EMPTY, EMPTY_CONFIG), vec![layer])
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it is longer than [`DOCUMENT_BYTES_MAX`], no JSON, no image manifest, or has no or too many layers.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadDocument> {
        let manifest: Self = parse("manifest", bytes)?;
        if parse::<Kinds>("manifest", bytes)?.manifests.is_some() {
            return Err(BadDocument::new("manifest", "is an index as well"));
        }
        if manifest.layers.is_empty() || manifest.layers.len() > LAYERS_MAX {
            return Err(BadDocument::new("manifest", format!("has {} layers", manifest.layers.len())));
        }
        let mut paths = BTreeSet::new();
        for layer in &manifest.layers {
            // The two halves of a sealed file share its path.
            let is_header = layer.role() == Role::SealedHeader;
            if let Some(path) = layer.file_path()
                && !paths.insert((path.clone(), is_header))
            {
                return Err(BadDocument::new("manifest", format!("has {path} twice")));
            }
        }
        Ok(manifest)
    }

    /// Writes the manifest. What is parsed and written again may differ: fields that are not ours are not kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_bytes(self)
    }

    /// Everything that the manifest needs: the configuration and the layers.
    pub fn needs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// Bytes of the configuration and the layers together.
    pub fn total_bytes(&self) -> u64 {
        self.needs().fold(0, |total, needed| total.saturating_add(needed.size))
    }
}

impl BadDocument {
    pub(crate) fn new(what: &'static str, fault: impl Into<String>) -> Self {
        Self { what, fault: fault.into() }
    }
}

impl fmt::Display for BadDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.what, self.fault)
    }
}

impl Error for BadDocument {}

/// Parses bounded JSON. The parser itself stops at a depth of 128 and at bytes that follow.
fn parse<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, BadDocument> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(BadDocument::new(what, format!("is longer than {DOCUMENT_BYTES_MAX} bytes")));
    }
    serde_json::from_slice(bytes).map_err(|error| BadDocument::new(what, format!("is malformed: {error}")))
}

/// Bytes that a manifest or an index may have.
pub const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// Bytes that any described file may have: 2^53 − 1, the largest integer that every JSON reader agrees on.
pub const SIZE_MAX: u64 = (1 << 53) - 1;

/// Files that a model may have.
const LAYERS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn document(layer: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{ZEROS}","size":2}},"layers":[{layer}]}}"#
        )
    }

    #[test]
    fn a_manifest_returns_from_its_bytes() {
        let layer = Descriptor::of(kind::WEIGHTS, b"GGUF").with(key::FILE_PATH, "model.gguf");
        let model = Manifest::model(Descriptor::of(kind::MODEL_CONFIG, b"{}"), vec![layer]);
        let bytes = model.to_bytes();
        assert_eq!(Manifest::parse(&bytes).unwrap(), model);
        let subject = Descriptor::of(kind::MANIFEST, &bytes);
        let referrer = Manifest::referrer(kind::BUNDLE, Descriptor::of(kind::BUNDLE, b"{}"), subject);
        assert_eq!(Manifest::parse(&referrer.to_bytes()).unwrap(), referrer);
    }

    #[test]
    fn foreign_fields_are_ignored() {
        let layer = format!(r#"{{"mediaType":"x","digest":"{ZEROS}","size":1,"urls":["a"],"data":""}}"#);
        let manifest = Manifest::parse(document(&layer).as_bytes()).unwrap();
        assert_eq!((manifest.layers.len(), manifest.total_bytes()), (1, 3));
    }

    #[test]
    fn a_path_means_one_file() {
        let layer = |kind: &str, path: &str| Descriptor::of(kind, path.as_bytes()).with(key::FILE_PATH, path);
        let parsed = |layers: &[Descriptor]| {
            let config = Descriptor::of(kind::MODEL_CONFIG, b"{}");
            Manifest::parse(&Manifest::model(config, layers.to_vec()).to_bytes())
        };
        let (header, payload) = (layer(kind::SEALED_HEADER, "m.gguf"), layer(kind::SEALED_PAYLOAD, "m.gguf"));
        parsed(&[header.clone(), payload.clone()]).unwrap();
        parsed(&[layer(kind::WEIGHTS, "m.gguf"), layer(kind::DOCUMENT, "M.gguf")]).unwrap();
        for twice in [
            [layer(kind::WEIGHTS, "m.gguf"), layer(kind::WEIGHTS, "m.gguf")],
            [layer(kind::WEIGHTS, "m.gguf"), payload],
            [header.clone(), header],
        ] {
            assert!(parsed(&twice).unwrap_err().to_string().contains("m.gguf twice"));
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let layer = |digest: &str, size: &str, more: &str| {
            document(&format!(r#"{{"mediaType":"x","digest":"{digest}","size":{size}{more}}}"#))
        };
        let blake3 = ZEROS.replace("sha256", "blake3");
        let good = layer(ZEROS, "1", "");
        Manifest::parse(good.as_bytes()).unwrap();
        for text in [
            String::new(),
            "{}".into(),
            "[".repeat(100_000),
            document(""),
            good.replace(":2,", ":1,"),
            good.replace(":2,", r#":2,"manifests":[],"#),
            good.clone() + "x",
            format!("\u{feff}{good}"),
            layer("sha256:../../etc/passwd", "1", ""),
            layer(&ZEROS[..70], "1", ""),
            layer(&blake3, "1", ""),
            layer(ZEROS, "-1", ""),
            layer(ZEROS, "1.5", ""),
            layer(ZEROS, "9007199254740992", ""),
            layer(ZEROS, "1152921504606846976", ""),
            layer(ZEROS, "1", r#","size":2"#),
            layer(ZEROS, "1", r#","annotations":{"a":"b","a":"c"}"#),
            layer(ZEROS, "1", r#","annotations":{"a":1}"#),
            document(&vec![format!(r#"{{"mediaType":"x","digest":"{ZEROS}","size":1}}"#); 4097].join(",")),
        ] {
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{text:.200}");
        }
    }

    #[test]
    fn the_root_of_a_sealed_payload_is_that_of_what_it_holds() {
        let root = format!("blake3:{}", "0".repeat(64));
        let described = |media_type| Descriptor::of(media_type, b"").with(key::BLAKE3, root.clone());
        assert!(described(kind::WEIGHTS).blob_blake3().is_some());
        let sealed = described(kind::SEALED_PAYLOAD);
        assert_eq!((sealed.blob_blake3(), sealed.blake3()), (None, root.parse().ok()));
    }

    #[test]
    fn unsafe_paths_are_no_paths() {
        let path = |text: &str| Descriptor::of("x", b"").with(key::FILE_PATH, text).file_path();
        assert_eq!(path("../x"), None);
        assert_eq!(path("a/b.gguf").unwrap().as_str(), "a/b.gguf");
    }
}
