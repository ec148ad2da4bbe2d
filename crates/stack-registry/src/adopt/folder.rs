//! GGUF files in folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Found, FoundFile};
use crate::file_name::{Shard, has_extension, without_extension};
use crate::manifest::{FileFormat, FilePath};
use crate::name::{BadName, Name};
use crate::store::ExternalKind;

/// Finds the models at a path: the file, or all GGUF files beneath the folder.
///
/// # Errors
///
/// When the path cannot be read, or holds no model.
pub fn path_models(path: &Path) -> io::Result<Vec<Found>> {
    let whole = path.canonicalize()?;
    let mut files = Vec::new();
    if whole.is_file() {
        files.extend(siblings(&whole));
    } else {
        walk(&whole, 0, &mut files)?;
    }
    let mut found = Vec::new();
    for files in by_model(&files) {
        let Ok(name) = Name::from_upstream(&[stem(files[0].path.file_name())], None) else { continue };
        found.push(Found {
            name,
            kind: ExternalKind::File,
            origin: format!("file://{}", files[0].at.display()),
            commit: None,
            files,
        });
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no GGUF file found"));
    }
    Ok(found)
}

/// The other parts of a model that this file is a part of, and itself.
fn siblings(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match part_of(&name) {
        Some(shard) => {
            shard.stems().map(|stem| path.with_file_name(stem + &name[name.len() - GGUF.len()..])).collect()
        }
        None => vec![path.to_owned()],
    }
}

/// Collects GGUF files. Links to folders are not followed; other things are not looked at.
pub(super) fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.take(ENTRIES_MAX).collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, files)?;
            }
        } else if is_gguf(&path) && path.is_file() && files.len() < ENTRIES_MAX {
            files.push(path);
        }
    }
    Ok(())
}

/// Groups files into models: the parts of one model belong together, any other file is one. A model that lacks parts is
/// left out, and so is what only helps other models to see.
pub(super) fn by_model(files: &[PathBuf]) -> Vec<Vec<FoundFile>> {
    let mut models: BTreeMap<(PathBuf, String), Vec<(FoundFile, usize)>> = BTreeMap::new();
    for at in files {
        let name = at.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(path) = FilePath::parse(&name) else { continue };
        if name.starts_with("mmproj") {
            continue;
        }
        let (stem, count) =
            part_of(&name).map_or((name.as_str(), 1), |shard| (shard.name, shard.count as usize));
        let bytes = at.metadata().map_or(0, |metadata| metadata.len());
        let folder = at.parent().unwrap_or(Path::new("")).to_owned();
        let model = models.entry((folder, stem.to_owned())).or_default();
        model.push((FoundFile { path, at: at.clone(), bytes, digest: None }, count));
    }
    let whole = models.into_values().filter(|files| files.len() == files[0].1);
    whole.map(|files| files.into_iter().map(|(file, _)| file).collect()).collect()
}

/// Reads `NAME-00002-of-00003.gguf`.
fn part_of(file_name: &str) -> Option<Shard<'_>> {
    has_extension(file_name, GGUF).then(|| Shard::parse(without_extension(file_name, GGUF))).flatten()
}

/// The name of a model's file without what all files have.
pub(super) fn stem(file_name: &str) -> &str {
    match part_of(file_name) {
        Some(shard) => shard.name,
        None => file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem),
    }
}

/// Names a model after its repository, with the quantization of its file as the tag.
pub(super) fn repository_name(parts: &[&str], file_name: &str) -> Result<Name, BadName> {
    let stem = stem(file_name);
    Name::from_upstream(parts, quantization(stem).or(Some(stem)))
}

/// Finds the quantization in the name of a file: `Q4_K_M` in `Qwen3-4B-Q4_K_M`.
fn quantization(stem: &str) -> Option<&str> {
    stem.rsplit(['-', '.']).find(|part| {
        let small = part.to_ascii_lowercase();
        let bits = small.strip_prefix("iq").or(small.strip_prefix("tq")).or(small.strip_prefix('q'));
        bits.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            || matches!(small.as_str(), "f16" | "f32" | "bf16" | "mxfp4")
    })
}

fn is_gguf(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FileFormat::Gguf.has(name))
}

const DEPTH_MAX: usize = 8;
const ENTRIES_MAX: usize = 10_000;
const GGUF: &str = FileFormat::Gguf.extension();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_model_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for name in [
            "big-00001-of-00002.gguf",
            "big-00002-of-00002.gguf",
            "half-00001-of-00002.gguf",
            "sub/Small.gguf",
            "mmproj-x.gguf",
            "readme.md",
        ] {
            fs::write(dir.path().join(name), b"GGUF").unwrap();
        }
        let found = path_models(dir.path()).unwrap();
        let names: Vec<_> = found.iter().map(|found| (found.name.short(), found.files.len())).collect();
        assert_eq!(names, [("big".to_owned(), 2), ("small".to_owned(), 1)]);
        let one = path_models(&dir.path().join("big-00002-of-00002.gguf")).unwrap();
        assert_eq!(one[0].files.len(), 2);
    }

    #[test]
    fn the_quantization_is_the_tag() {
        let name = |file: &str| repository_name(&["Qwen", "Qwen3-4B-GGUF"], file).unwrap().to_string();
        assert_eq!(name("Qwen3-4B-Q4_K_M.gguf"), "qwen/qwen3-4b-gguf:q4_k_m");
        assert_eq!(name("qwen3-4b.IQ2_XS.gguf"), "qwen/qwen3-4b-gguf:iq2_xs");
        assert_eq!(name("big-BF16-00001-of-00002.gguf"), "qwen/qwen3-4b-gguf:bf16");
        assert_eq!(name("Qwen3.gguf"), "qwen/qwen3-4b-gguf:qwen3");
    }
}
