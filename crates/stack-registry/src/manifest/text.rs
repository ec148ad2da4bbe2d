//! How single values are spelled in documents.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{SIZE_MAX, kind};

/// SHA-256 digests as `sha256:<64 hex>`.
pub(super) mod sha256 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use stack_seal::digest::{Algorithm, Digest};

    pub(crate) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let digest: Digest = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
        match digest.algorithm {
            Algorithm::Sha256 => Ok(digest),
            Algorithm::Blake3 => Err(D::Error::custom("descriptors hold SHA-256 digests")),
        }
    }
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if size > SIZE_MAX { Err(D::Error::custom(format!("no file has {size} bytes"))) } else { Ok(size) }
}

pub(super) fn version_2<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        2 => Ok(2),
        version => Err(D::Error::custom(format!("schemaVersion {version} is not known"))),
    }
}

pub(super) fn manifest_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == kind::MANIFEST || text == kind::DOCKER_MANIFEST {
        return Ok(text);
    }
    Err(D::Error::custom(format!("{text:?} is no image manifest")))
}
