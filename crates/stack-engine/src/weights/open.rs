//! Opens a model by what its path is.

use std::path::Path;

use super::file::subject;
use super::{Files, GgufFile, LoadError, SafeTensorsModel, WeightSource};

/// Opens a model: a GGUF file, a `SafeTensors` folder, or a folder with one GGUF model in it.
///
/// A model that is split into several GGUF files counts as one.
///
/// # Errors
///
/// When the path is none of these; says what was expected, and what is wrong with a model that was found.
pub fn open(files: Files) -> Result<Box<dyn WeightSource>, LoadError> {
    if let Some(name) = files.only() {
        return Ok(Box::new(GgufFile::read_from(files, &name)?));
    }
    if files.has("config.json") {
        return Ok(Box::new(SafeTensorsModel::read_from(files)?));
    }
    match ggufs(&files)?.as_slice() {
        [only] => Ok(Box::new(GgufFile::read_from(files, only)?)),
        [] => Err(LoadError::new(
            subject(files.path()),
            "holds no model: expected a GGUF file, or config.json with model.safetensors",
        )),
        [first, second, ..] => {
            let problem = format!("holds several GGUF models, {first} and {second} among them; name one");
            Err(LoadError::new(subject(files.path()), problem))
        }
    }
}

/// Lists the GGUF models of a directory, of split ones the first file.
fn ggufs(files: &Files) -> Result<Vec<String>, LoadError> {
    let mut names = files.names()?;
    names.retain(|name| {
        let extension = Path::new(name).extension();
        let is_model = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        // Vision parts lie beside the model that they belong to.
        is_model && !is_later_shard(name) && !name.starts_with("mmproj")
    });
    Ok(names)
}

/// Whether a name ends as those of the second and later files of a split model do.
fn is_later_shard(name: &str) -> bool {
    let Some((rest, count)) = name.rsplit_once("-of-") else { return false };
    let number = rest.rsplit_once('-').map_or("", |(_, number)| number);
    count.len() == "00002.gguf".len() && number.parse::<u32>().is_ok_and(|number| number > 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_testkit::GgufBuilder;

    use super::*;

    fn at(path: &Path) -> Result<Box<dyn WeightSource>, LoadError> {
        open(Files::at(path)?)
    }

    #[test]
    fn a_file_and_a_directory_with_one_model_open() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.gguf");
        fs::write(&file, GgufBuilder::new("llama").build()).unwrap();
        fs::write(dir.path().join("mmproj-x.gguf"), b"other").unwrap();
        for path in [file.as_path(), dir.path()] {
            let model = at(path).unwrap();
            assert_eq!(model.metadata().text("general.architecture").unwrap(), Some("llama"));
        }
        fs::write(dir.path().join("second.gguf"), b"").unwrap();
        assert!(at(dir.path()).err().unwrap().problem.contains("model.gguf and second.gguf"));
    }

    #[test]
    fn what_is_no_model_says_what_was_expected() {
        let dir = tempfile::tempdir().unwrap();
        assert!(at(dir.path()).err().unwrap().problem.contains("expected a GGUF file"));
        assert!(at(&dir.path().join("none")).err().unwrap().problem.contains("cannot be opened"));
        fs::write(dir.path().join("config.json"), b"{}").unwrap();
        assert!(at(dir.path()).err().unwrap().subject.ends_with("model.safetensors"));
    }

    #[test]
    fn later_shards_are_not_models_of_their_own() {
        assert!(is_later_shard("m-00002-of-00003.gguf"));
        assert!(!is_later_shard("m-00001-of-00003.gguf"));
        assert!(!is_later_shard("m-2-of-hearts.gguf"));
    }
}
