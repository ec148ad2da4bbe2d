//! Opens a model by what its path is.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::subject;
use super::{GgufFile, LoadError, SafeTensorsModel, WeightSource};

/// Opens a model: a GGUF file, a `SafeTensors` directory, or a directory with one GGUF model in it.
///
/// A model that is split into several GGUF files counts as one.
///
/// # Errors
///
/// When the path is none of these; says what was expected, and what is wrong with a model that was found.
pub fn open(path: &Path) -> Result<Box<dyn WeightSource>, LoadError> {
    let kind =
        fs::metadata(path).map_err(|error| LoadError::caused(subject(path), "cannot be opened", error))?;
    if !kind.is_dir() {
        return Ok(Box::new(GgufFile::open(path)?));
    }
    if path.join("config.json").is_file() {
        return Ok(Box::new(SafeTensorsModel::open(path)?));
    }
    match ggufs(path)?.as_slice() {
        [only] => Ok(Box::new(GgufFile::open(only)?)),
        [] => Err(LoadError::new(
            subject(path),
            "holds no model: expected a GGUF file, or config.json with model.safetensors",
        )),
        [first, second, ..] => {
            let problem = format!(
                "holds several GGUF models, {} and {} among them; name one",
                file_name(first),
                file_name(second)
            );
            Err(LoadError::new(subject(path), problem))
        }
    }
}

/// Lists the GGUF models of a directory, of split ones the first file.
fn ggufs(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let fail = |error| LoadError::caused(subject(path), "cannot be listed", error);
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = file_name(&path);
        let is_model = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        // Vision parts lie beside the model that they belong to.
        if is_model && !is_later_shard(&name) && !name.starts_with("mmproj") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name ends as those of the second and later files of a split model do.
fn is_later_shard(name: &str) -> bool {
    let Some((rest, count)) = name.rsplit_once("-of-") else { return false };
    let number = rest.rsplit_once('-').map_or("", |(_, number)| number);
    count.len() == "00002.gguf".len() && number.parse::<u32>().is_ok_and(|number| number > 1)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use stack_testkit::GgufBuilder;

    use super::*;

    #[test]
    fn a_file_and_a_directory_with_one_model_open() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.gguf");
        fs::write(&file, GgufBuilder::new("llama").build()).unwrap();
        fs::write(dir.path().join("mmproj-x.gguf"), b"other").unwrap();
        for path in [file.as_path(), dir.path()] {
            let model = open(path).unwrap();
            assert_eq!(model.metadata().text("general.architecture").unwrap(), Some("llama"));
        }
        fs::write(dir.path().join("second.gguf"), b"").unwrap();
        assert!(open(dir.path()).err().unwrap().problem.contains("model.gguf and second.gguf"));
    }

    #[test]
    fn what_is_no_model_says_what_was_expected() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).err().unwrap().problem.contains("expected a GGUF file"));
        assert!(open(&dir.path().join("none")).err().unwrap().problem.contains("cannot be opened"));
        fs::write(dir.path().join("config.json"), b"{}").unwrap();
        assert!(open(dir.path()).err().unwrap().subject.ends_with("model.safetensors"));
    }

    #[test]
    fn later_shards_are_not_models_of_their_own() {
        assert!(is_later_shard("m-00002-of-00003.gguf"));
        assert!(!is_later_shard("m-00001-of-00003.gguf"));
        assert!(!is_later_shard("m-2-of-hearts.gguf"));
    }
}
