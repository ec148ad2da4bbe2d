//! Sealed files at a path, and what they are the sealed forms of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stack_registry::file_name::Shard;

use super::TargetFile;
use crate::sealed;

/// Where the plain form of a sealed file would lie; of anything else, the path itself.
pub fn plain_form(path: &Path) -> PathBuf {
    match sealed::plain_path_of(path) {
        Some(plain) if sealed::lies_at(path) => plain,
        _ => path.to_owned(),
    }
}

/// Lists what is sealed of a model that begins in this file: the file, and the other shards of a split model.
pub(super) fn of_file(path: &Path) -> Vec<TargetFile> {
    let plain = plain_form(path);
    let mut parts = Vec::new();
    if sealed::lies_at(path) {
        parts.extend(part(&plain, path));
    }
    for shard in shards(&plain).into_iter().filter(|shard| *shard != plain && !shard.exists()) {
        let at = sealed::path_of(&shard);
        if sealed::lies_at(&at) {
            parts.extend(part(&shard, &at));
        }
    }
    parts
}

/// Lists the sealed files of a model's folder that do not lie there in clear as well.
pub(super) fn of_folder(folder: &Path) -> Vec<TargetFile> {
    // A folder that cannot be read is told by whoever reads the model.
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths: BTreeSet<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let belongs = |plain: &Path| {
        plain.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| {
            MODEL_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
        })
    };
    let sealed = paths.iter().filter_map(|path| Some((sealed::plain_path_of(path)?, path)));
    let sealed =
        sealed.filter(|(plain, path)| belongs(plain) && !paths.contains(plain) && sealed::lies_at(path));
    sealed.filter_map(|(plain, path)| part(&plain, path)).collect()
}

fn part(plain: &Path, path: &Path) -> Option<TargetFile> {
    let name = plain.file_name()?.to_string_lossy().into_owned();
    Some(TargetFile { name, path: path.to_owned(), sealed: true })
}

/// The paths of all shards of a split model, by that of one of them.
fn shards(plain: &Path) -> Vec<PathBuf> {
    let names = || {
        let (stem, extension) = plain.file_name()?.to_str()?.rsplit_once('.')?;
        Some(
            Shard::parse(stem)?
                .stems()
                .map(|stem| plain.with_file_name(format!("{stem}.{extension}")))
                .collect(),
        )
    };
    names().unwrap_or_default()
}

/// How the files of a model end.
const MODEL_EXTENSIONS: [&str; 6] = ["gguf", "safetensors", "json", "jinja", "model", "txt"];

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &[u8] = b"age-encryption.org/v1\n-> X25519";

    fn names(parts: &[TargetFile]) -> Vec<&str> {
        parts.iter().map(|part| part.name.as_str()).collect()
    }

    #[test]
    fn sealed_shards_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("m-00001-of-00003.gguf.age"), AGE).unwrap();
        fs::write(path("m-00002-of-00003.gguf.age"), AGE).unwrap();
        fs::write(path("m-00003-of-00003.gguf"), b"GGUF").unwrap();
        let all = of_file(&path("m-00001-of-00003.gguf.age"));
        assert_eq!(names(&all), ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf"]);
        let others = of_file(&path("m-00003-of-00003.gguf"));
        assert_eq!(names(&others), ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf"]);
    }

    #[test]
    fn of_a_folder_only_what_is_not_there_in_clear_counts() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("config.json", &b"{}"[..]),
            ("model.safetensors.age", AGE),
            ("tokenizer.json.age", AGE),
            ("tokenizer.json", b"{}"),
            ("secret.doc.age", AGE),
            ("fake.gguf.age", b"GGUF"),
        ] {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        assert_eq!(names(&of_folder(dir.path())), ["model.safetensors"]);
    }

    #[test]
    fn plain_forms_are_those_of_age_files() {
        let dir = tempfile::tempdir().unwrap();
        let (sealed, other) = (dir.path().join("m.gguf.age"), dir.path().join("old.age"));
        fs::write(&sealed, AGE).unwrap();
        fs::write(&other, b"GGUF").unwrap();
        assert_eq!(plain_form(&sealed), dir.path().join("m.gguf"));
        assert_eq!(plain_form(&other), other);
    }
}
