//! Media types.

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
}
