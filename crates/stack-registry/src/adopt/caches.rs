//! Where other programs keep models, and what they call them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use stack_seal::digest::{Algorithm, Digest};

use super::folder::{by_model, repository_name, walk};
use super::{Found, FoundFile};
use crate::manifest::{FilePath, kind};
use crate::name::Name;
use crate::store::ExternalKind;

/// Finds the GGUF models in a cache of the Hugging Face hub, as `hub/` is laid out:
/// `models--OWNER--REPO/snapshots/COMMIT/…`, whose files link to `blobs/`.
///
/// # Errors
///
/// When the folder cannot be read. One that is not there has no models.
pub fn hub_models(cache: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (name, repository) in folders(cache)? {
        let Some((owner, model)) = name.strip_prefix("models--").and_then(|rest| rest.split_once("--"))
        else {
            continue;
        };
        for (commit, snapshot) in folders(&repository.join("snapshots"))? {
            let mut files = Vec::new();
            walk(&snapshot, 0, &mut files)?;
            for files in by_model(&files) {
                let Ok(name) = repository_name(&[owner, model], files[0].path.file_name()) else { continue };
                let origin = format!("hf://{owner}/{model}@{commit}/{}", files[0].path);
                let commit = Some(commit.clone());
                found.push(Found { name, kind: ExternalKind::Hub, origin, commit, files });
            }
        }
    }
    Ok(found)
}

/// Finds the models of Ollama: `manifests/HOST/NAMESPACE/MODEL/TAG` lists layers, which lie in `blobs/sha256-<hex>`.
///
/// # Errors
///
/// When the folder cannot be read. One that is not there has no models.
pub fn ollama_models(models: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (host, hosts) in folders(&models.join("manifests"))? {
        for (namespace, namespaces) in folders(&hosts)? {
            for (model, tags) in folders(&namespaces)? {
                for tag in fs::read_dir(&tags)?.take(ENTRIES_MAX) {
                    let tag = tag?;
                    let Some(digest) = ollama_weights(&tag.path()) else { continue };
                    let at = models.join("blobs").join(format!("sha256-{}", digest.hex()));
                    let tag = tag.file_name().to_string_lossy().into_owned();
                    found.extend(ollama_model(&host, &namespace, &model, &tag, &at, digest));
                }
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Finds the models of LM Studio: `PUBLISHER/MODEL/*.gguf`.
///
/// # Errors
///
/// When the folder cannot be read. One that is not there has no models.
pub fn lm_studio_models(models: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (publisher, publishers) in folders(models)? {
        for (model, folder) in folders(&publishers)? {
            let mut files = Vec::new();
            walk(&folder, 0, &mut files)?;
            for files in by_model(&files) {
                let Ok(name) = repository_name(&[&publisher, &model], files[0].path.file_name()) else {
                    continue;
                };
                let origin = format!("file://{}", files[0].at.display());
                found.push(Found { name, kind: ExternalKind::LmStudio, origin, commit: None, files });
            }
        }
    }
    Ok(found)
}

fn ollama_model(
    host: &str,
    namespace: &str,
    model: &str,
    tag: &str,
    at: &Path,
    digest: Digest,
) -> Option<Found> {
    let parts: &[&str] = if namespace == "library" { &[model] } else { &[namespace, model] };
    let metadata = at.metadata().ok()?;
    let file = FoundFile {
        path: FilePath::parse("model.gguf").ok()?,
        at: at.to_owned(),
        bytes: metadata.len(),
        digest: Some(digest),
    };
    Some(Found {
        name: Name::from_upstream(parts, Some(tag)).ok()?,
        kind: ExternalKind::Ollama,
        origin: format!("oci://{host}/{namespace}/{model}:{tag}"),
        commit: None,
        files: vec![file],
    })
}

/// What is read of Ollama's manifests.
#[derive(Deserialize)]
struct OllamaManifest {
    layers: Vec<OllamaLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OllamaLayer {
    media_type: String,
    digest: String,
}

/// Finds the digest of the weights in a manifest of Ollama. What cannot be read is not a model.
fn ollama_weights(manifest: &Path) -> Option<Digest> {
    let mut bytes = Vec::new();
    File::open(manifest).ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let manifest: OllamaManifest = serde_json::from_slice(&bytes).ok()?;
    let weights = manifest.layers.iter().find(|layer| layer.media_type == kind::OLLAMA_WEIGHTS)?;
    weights.digest.parse::<Digest>().ok().filter(|digest| digest.algorithm == Algorithm::Sha256)
}

/// The folders in a folder, by name. One that is not there has none.
fn folders(path: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries.take(ENTRIES_MAX) {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            folders.push((name, entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

const ENTRIES_MAX: usize = 10_000;
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_hub_keeps_links_by_commit() {
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().join("models--Qwen--Qwen3-4B-GGUF");
        let snapshot = repository.join("snapshots/abc123");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(repository.join("blobs")).unwrap();
        fs::write(repository.join("blobs/feed"), b"GGUF").unwrap();
        symlink("../../blobs/feed", snapshot.join("Qwen3-4B-Q4_K_M.gguf")).unwrap();
        let found = hub_models(dir.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name.to_string(), "qwen/qwen3-4b-gguf:q4_k_m");
        assert_eq!(found[0].commit.as_deref(), Some("abc123"));
        assert_eq!(found[0].origin, "hf://Qwen/Qwen3-4B-GGUF@abc123/Qwen3-4B-Q4_K_M.gguf");
        assert_eq!(found[0].files[0].bytes, 4);
        assert!(hub_models(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn ollama_keeps_manifests_by_tag() {
        let dir = tempfile::tempdir().unwrap();
        let hex = "0".repeat(64);
        let tags = dir.path().join("manifests/registry.ollama.ai/library/tiny");
        fs::create_dir_all(&tags).unwrap();
        fs::create_dir_all(dir.path().join("blobs")).unwrap();
        fs::write(dir.path().join("blobs").join(format!("sha256-{hex}")), b"GGUF").unwrap();
        let layer = |digest: &str| {
            format!(
                r#"{{"layers":[{{"mediaType":"{}","digest":"{digest}","size":4}}]}}"#,
                kind::OLLAMA_WEIGHTS
            )
        };
        fs::write(tags.join("8b"), layer(&format!("sha256:{hex}"))).unwrap();
        fs::write(tags.join("evil"), layer("sha256:../../../etc/passwd")).unwrap();
        fs::write(tags.join("none"), "x").unwrap();
        let found = ollama_models(dir.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name.to_string(), "tiny:8b");
        assert_eq!(found[0].origin, "oci://registry.ollama.ai/library/tiny:8b");
    }
}
