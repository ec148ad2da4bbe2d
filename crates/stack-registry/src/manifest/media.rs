//! Media types, and what the names of files say about them.

use super::FilePath;
use crate::file_name::has_extension;

/// What a file is to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weights, such as a GGUF file.
    Weights,
    /// What belongs to the weights: `config.json`, a tokenizer.
    WeightsConfig,
    /// A text for people.
    Document,
    /// The header of a sealed file; the payload is the layer that follows.
    SealedHeader,
    /// The payload of a sealed file.
    SealedPayload,
    /// A signature bundle.
    Bundle,
    /// The leaf list of a file.
    Leaves,
    /// An archive, which is refused.
    Archive,
    /// Anything else.
    Other,
}

impl Role {
    /// Tells what a media type means.
    pub fn of(media_type: &str) -> Self {
        match media_type {
            kind::WEIGHTS | kind::DOCKER_WEIGHTS | kind::OLLAMA_WEIGHTS => Self::Weights,
            kind::WEIGHTS_CONFIG => Self::WeightsConfig,
            kind::DOCUMENT => Self::Document,
            kind::SEALED_HEADER => Self::SealedHeader,
            kind::SEALED_PAYLOAD => Self::SealedPayload,
            kind::BUNDLE => Self::Bundle,
            kind::LEAVES => Self::Leaves,
            _ if is_archive(media_type) => Self::Archive,
            _ => Self::Other,
        }
    }
}

/// What the files of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// One GGUF file, or several parts.
    Gguf,
    /// A folder of SafeTensors.
    SafeTensors,
}

impl FileFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Gguf, Self::SafeTensors];

    /// The name in manifests, claims and rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::SafeTensors => "safetensors",
        }
    }

    /// Tells the format from the names of a model's files: GGUF if one is.
    pub fn of_files<'a>(paths: impl IntoIterator<Item = &'a FilePath>) -> Option<Self> {
        let names: Vec<_> = paths.into_iter().map(FilePath::file_name).collect();
        Self::ALL.into_iter().find(|format| names.iter().any(|name| format.has(name)))
    }

    /// Whether a file that is called so is weights of the format.
    pub fn has(self, name: &str) -> bool {
        has_extension(name, self.extension())
    }

    /// What its files end in, with the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Gguf => ".gguf",
            Self::SafeTensors => ".safetensors",
        }
    }
}

/// Says what a file of a model is, by its name, however that is spelled. Whichever way a file comes into the store, it
/// gets the same media type, so that the same files make the same manifest.
pub fn media_type_of(path: &FilePath) -> &'static str {
    let name = path.file_name();
    let ends = |extensions: &[&str]| extensions.iter().any(|extension| has_extension(name, extension));
    let is_vocabulary = || ["merges.txt", "vocab.txt"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if FileFormat::ALL.into_iter().any(|format| format.has(name)) {
        kind::WEIGHTS
    } else if ends(&[".json", ".jinja", ".jinja2", ".model"]) || is_vocabulary() {
        kind::WEIGHTS_CONFIG
    } else {
        kind::DOCUMENT
    }
}

/// The media types by their meaning.
pub mod kind {
    /// An OCI image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker's manifest, of the same shape; read, never written.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// The artifact type of a model's manifest.
    pub const MODEL_MANIFEST: &str = "application/vnd.cncf.model.manifest.v1+json";
    /// A ModelPack configuration.
    pub const MODEL_CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
    /// OCI's empty configuration.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Weights as they are.
    pub const WEIGHTS: &str = "application/vnd.cncf.model.weight.v1.raw";
    /// What belongs to weights.
    pub const WEIGHTS_CONFIG: &str = "application/vnd.cncf.model.weight.config.v1.raw";
    /// Texts for people.
    pub const DOCUMENT: &str = "application/vnd.cncf.model.doc.v1.raw";
    /// Docker's weights; read, never written.
    pub const DOCKER_WEIGHTS: &str = "application/vnd.docker.ai.gguf.v3";
    /// Ollama's weights; read, never written.
    pub const OLLAMA_WEIGHTS: &str = "application/vnd.ollama.image.model";
    /// The header of a sealed file.
    pub const SEALED_HEADER: &str = "application/vnd.sovereign-stack.age.header.v1";
    /// The payload of a sealed file.
    pub const SEALED_PAYLOAD: &str = "application/vnd.sovereign-stack.age.payload.v1";
    /// A signature bundle, both as artifact type and as layer.
    pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    /// A leaf list.
    pub const LEAVES: &str = "application/vnd.sovereign-stack.b3leaves.v1";
}

pub(super) fn manifest() -> String {
    kind::MANIFEST.to_owned()
}

fn is_archive(media_type: &str) -> bool {
    [".tar", "+tar", "tar+gzip", "tar+zstd", ".tar.gzip"].iter().any(|part| media_type.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_as_such() {
        for archive in [
            "application/vnd.cncf.model.weight.v1.tar",
            "application/vnd.cncf.model.weight.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ] {
            assert_eq!(Role::of(archive), Role::Archive);
        }
        assert_eq!(Role::of(kind::WEIGHTS), Role::Weights);
        assert_eq!(Role::of("text/plain"), Role::Other);
    }

    fn path(text: &str) -> FilePath {
        FilePath::parse(text).unwrap()
    }

    #[test]
    fn files_are_known_by_their_names() {
        for (name, expected) in [
            ("a/b-00001-of-00002.gguf", kind::WEIGHTS),
            ("M.GGUF", kind::WEIGHTS),
            ("model.safetensors", kind::WEIGHTS),
            ("config.json", kind::WEIGHTS_CONFIG),
            ("1_Pooling/config.json", kind::WEIGHTS_CONFIG),
            ("chat_template.jinja", kind::WEIGHTS_CONFIG),
            ("tokenizer.model", kind::WEIGHTS_CONFIG),
            ("merges.txt", kind::WEIGHTS_CONFIG),
            ("README.md", kind::DOCUMENT),
            ("LICENSE", kind::DOCUMENT),
            ("logo.png", kind::DOCUMENT),
            ("gguf", kind::DOCUMENT),
        ] {
            assert_eq!(media_type_of(&path(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_format_is_that_of_the_weights() {
        let format = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
            FileFormat::of_files(&paths)
        };
        assert_eq!(format(&["config.json", "model.SafeTensors"]), Some(FileFormat::SafeTensors));
        assert_eq!(format(&["model.safetensors", "m.gguf"]), Some(FileFormat::Gguf));
        assert_eq!(format(&["x", "gguf"]), None);
    }
}
