//! Models in several files, `name-00001-of-0000N.gguf`.

use std::path::{Path, PathBuf};

use super::super::file::subject;
use super::super::{LoadError, Metadata};
use super::Header;

/// The files of a split model.
pub(super) struct Split {
    /// Where they are, in order.
    pub(super) paths: Vec<PathBuf>,
}

/// Finds the siblings of a file that says it is one of several.
pub(super) fn split(path: &Path, header: &Header) -> Result<Option<Split>, LoadError> {
    let wrong = |problem: String| LoadError::new(subject(path), problem);
    let Some(count) = number(&header.metadata, "split.count", path)? else { return Ok(None) };
    if count <= 1 {
        return Ok(None);
    }
    if count > SHARDS_MAX {
        return Err(wrong(format!("claims to be one of {count} files; at most {SHARDS_MAX} are allowed")));
    }
    let place = number(&header.metadata, "split.no", path)?.unwrap_or(0);
    let ending = format!("-{:05}-of-{count:05}.gguf", place.saturating_add(1));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(stem) = name.strip_suffix(&ending) else {
        return Err(wrong(format!(
            "is one of {count} files of a split model, so its name should end in {ending}"
        )));
    };
    let paths: Vec<PathBuf> =
        (1..=count).map(|part| path.with_file_name(format!("{stem}-{part:05}-of-{count:05}.gguf"))).collect();
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        return Err(LoadError::new(
            subject(missing),
            format!("is missing: the model is split into {count} files"),
        ));
    }
    Ok(Some(Split { paths }))
}

impl Split {
    /// Checks that the files agree about being one model.
    pub(super) fn check<'a>(
        &self,
        headers: impl Iterator<Item = &'a Header> + Clone,
    ) -> Result<(), LoadError> {
        let total: usize = headers.clone().map(|header| header.tensors.len()).sum();
        for (index, (path, header)) in self.paths.iter().zip(headers).enumerate() {
            let expected = [
                ("split.no", index, "is missing or wrong"),
                ("split.count", self.paths.len(), "differs from the other files'"),
                ("split.tensors.count", total, "differs from what the files have together"),
            ];
            for (key, value, problem) in expected {
                let found = number(&header.metadata, key, path)?;
                // Only the place is needed in every file; the rest must be right where it is.
                if found.map_or(key == "split.no", |found| found != value) {
                    let found = found.map_or_else(|| "absent".to_owned(), |found| found.to_string());
                    return Err(LoadError::new(
                        subject(path),
                        format!("metadata key {key} {problem}: {found}, expected {value}"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn number(metadata: &Metadata, key: &str, path: &Path) -> Result<Option<usize>, LoadError> {
    metadata.integer(key).map_err(|error| LoadError::new(subject(path), error.to_string()))
}

/// As many as five digits can number.
const SHARDS_MAX: usize = 99_999;
