//! Models in several files, `name-00001-of-0000N.gguf`.

use super::super::{Files, LoadError, LoadErrorKind, Metadata};
use super::Header;

/// The files of a split model.
pub(super) struct Split {
    /// What they are called, in order.
    pub(super) names: Vec<String>,
}

/// Finds the siblings of a file that says it is one of several.
pub(super) fn split(files: &Files, name: &str, header: &Header) -> Result<Option<Split>, LoadError> {
    let subject = files.subject(name);
    let wrong = |problem: String| LoadError::new(subject.as_str(), problem);
    let Some(count) = number(&header.metadata, "split.count", &subject)? else { return Ok(None) };
    if count <= 1 {
        return Ok(None);
    }
    if count > SHARDS_MAX {
        return Err(wrong(format!("claims to be one of {count} files; at most {SHARDS_MAX} are allowed")));
    }
    let place = number(&header.metadata, "split.no", &subject)?.unwrap_or(0);
    let ending = format!("-{:05}-of-{count:05}.gguf", place.saturating_add(1));
    let Some(stem) = name.strip_suffix(&ending) else {
        return Err(wrong(format!(
            "is one of {count} files of a split model, so its name should end in {ending}"
        )));
    };
    let names: Vec<String> = (1..=count).map(|part| format!("{stem}-{part:05}-of-{count:05}.gguf")).collect();
    if let Some(missing) = names.iter().find(|name| !files.has(name)) {
        let problem = format!("is missing: the model is split into {count} files");
        return Err(LoadError::new(files.subject(missing), problem).of_kind(LoadErrorKind::FileMissing));
    }
    Ok(Some(Split { names }))
}

impl Split {
    /// Checks that the files agree about being one model.
    pub(super) fn check<'a>(
        &self,
        files: &Files,
        headers: impl Iterator<Item = &'a Header> + Clone,
    ) -> Result<(), LoadError> {
        let total: usize = headers.clone().map(|header| header.tensors.len()).sum();
        for (index, (name, header)) in self.names.iter().zip(headers).enumerate() {
            let subject = files.subject(name);
            let expected = [
                ("split.no", index, "is missing or wrong"),
                ("split.count", self.names.len(), "differs from the other files'"),
                ("split.tensors.count", total, "differs from what the files have together"),
            ];
            for (key, value, problem) in expected {
                let found = number(&header.metadata, key, &subject)?;
                // Only the place is needed in every file; the rest must be right where it is.
                if found.map_or(key == "split.no", |found| found != value) {
                    let found = found.map_or_else(|| "absent".to_owned(), |found| found.to_string());
                    return Err(LoadError::new(
                        subject,
                        format!("metadata key {key} {problem}: {found}, expected {value}"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn number(metadata: &Metadata, key: &str, subject: &str) -> Result<Option<usize>, LoadError> {
    metadata.integer(key).map_err(|error| LoadError::new(subject, error.to_string()))
}

/// As many as five digits can number.
const SHARDS_MAX: usize = 99_999;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use stack_testkit::GgufBuilder;

    use super::super::super::WeightSource;
    use super::super::GgufFile;

    fn shard(part: u32, count: u32, total: u32) -> GgufBuilder {
        let first = if part == 0 { GgufBuilder::new("llama") } else { GgufBuilder::bare() };
        first.u32("split.no", part).u32("split.count", count).u32("split.tensors.count", total).f32_tensor(
            &format!("t{part}"),
            &[1],
            &[part as f32],
        )
    }

    fn write(dir: &Path, part: u32, file: &GgufBuilder) -> PathBuf {
        let path = dir.join(format!("m-{part:05}-of-00003.gguf"));
        fs::write(&path, file.build()).unwrap();
        path
    }

    #[test]
    fn any_shard_finds_its_siblings() {
        let dir = tempfile::tempdir().unwrap();
        for part in 0..3 {
            write(dir.path(), part + 1, &shard(part, 3, 3));
        }
        for part in 1..=3 {
            let file = GgufFile::open(&dir.path().join(format!("m-{part:05}-of-00003.gguf"))).unwrap();
            assert_eq!(file.metadata().text("general.architecture").unwrap(), Some("llama"));
            assert_eq!(file.tensors().len(), 3);
            assert_eq!(file.read("t2").unwrap(), 2f32.to_le_bytes());
            assert_eq!(file.paths().count(), 3);
        }
    }

    #[test]
    fn a_missing_shard_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let first = write(dir.path(), 1, &shard(0, 3, 3));
        write(dir.path(), 3, &shard(2, 3, 3));
        let error = GgufFile::open(&first).unwrap_err();
        assert!(error.subject.ends_with("m-00002-of-00003.gguf") && error.problem.contains("is missing"));
    }

    #[test]
    fn shards_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let first = write(dir.path(), 1, &shard(0, 3, 3));
        write(dir.path(), 2, &shard(1, 3, 3));
        let third = write(dir.path(), 3, &shard(1, 3, 3));
        assert!(GgufFile::open(&first).unwrap_err().problem.contains("split.no"));
        assert!(GgufFile::open(&third).unwrap_err().problem.contains("should end in -00002-of-00003.gguf"));
        write(dir.path(), 3, &shard(2, 3, 4));
        assert!(GgufFile::open(&first).unwrap_err().problem.contains("split.tensors.count"));
        write(dir.path(), 3, &shard(2, 3, 3).f32_tensor("t0", &[1], &[0.0]));
        assert!(GgufFile::open(&first).is_err());
        let lonely = dir.path().join("renamed.gguf");
        fs::write(&lonely, shard(0, 3, 3).build()).unwrap();
        assert!(GgufFile::open(&lonely).unwrap_err().problem.contains("-00001-of-00003.gguf"));
    }
}
