//! Opens a model by what its path is.

use std::path::Path;

use super::file::subject;
use super::{Files, Foreign, GgufFile, LoadError, LoadErrorKind, SafeTensorsModel, WeightSource};

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
        [] => Err(no_model(&files)?),
        [first, second, ..] => {
            let problem = format!("holds several GGUF models, {first} and {second} among them; name one");
            Err(LoadError::new(subject(files.path()), problem).of_kind(LoadErrorKind::Ambiguous))
        }
    }
}

/// Says what a folder holds instead of a model.
fn no_model(files: &Files) -> Result<LoadError, LoadError> {
    let names = files.names()?;
    let folder = subject(files.path());
    if let Some(weights) = names.iter().find(|name| is_safetensors(name) && !name.starts_with("adapter_")) {
        let problem = format!("is missing: the weights in {weights} cannot be understood without it");
        return Ok(LoadError::new(files.subject("config.json"), problem).of_kind(LoadErrorKind::FileMissing));
    }
    Ok(match Foreign::folder(&names) {
        Some((foreign @ (Foreign::HubCache | Foreign::OllamaStore), _)) => {
            LoadError::foreign(folder, foreign)
        }
        Some((foreign, name)) => {
            let problem = format!("holds no model: {name} {foreign}");
            LoadError::new(folder, problem).of_kind(LoadErrorKind::Foreign(foreign))
        }
        None => {
            let problem = "holds no model: expected a GGUF file, or config.json with model.safetensors";
            LoadError::new(folder, problem).of_kind(LoadErrorKind::NoModel)
        }
    })
}

pub(super) fn is_safetensors(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"))
}

/// Lists the GGUF models of a directory, of split ones the first file.
fn ggufs(files: &Files) -> Result<Vec<String>, LoadError> {
    let mut names = files.names()?;
    names.retain(|name| {
        let extension = Path::new(name).extension();
        let is_model = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        // Vision parts and statistics lie beside the model that they belong to.
        let lower = name.to_ascii_lowercase();
        let is_beside = lower.contains("mmproj") || lower.contains("imatrix");
        is_model && !is_later_shard(name) && !is_beside
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
    fn a_folder_of_something_else_says_what_it_is() {
        let refused = |names: &[&str]| {
            let dir = tempfile::tempdir().unwrap();
            for name in names {
                fs::write(dir.path().join(name), b"x").unwrap();
            }
            let error = at(dir.path()).err().unwrap();
            (error.kind, error.to_string())
        };
        let cases: [(&[&str], LoadErrorKind, &str); 7] = [
            (
                &["tokenizer.model"],
                LoadErrorKind::Foreign(Foreign::Vocabulary),
                "tokenizer.model is a tokenizer",
            ),
            (
                &["pytorch_model.bin"],
                LoadErrorKind::Foreign(Foreign::PyTorch),
                "pytorch_model.bin is a PyTorch",
            ),
            (&["adapter_model.safetensors"], LoadErrorKind::Foreign(Foreign::LoraAdapter), "LoRA adapter"),
            (&["mmproj-x.gguf", "x.imatrix.gguf"], LoadErrorKind::Foreign(Foreign::Projector), "mmproj"),
            (&["model.safetensors"], LoadErrorKind::FileMissing, "config.json: is missing"),
            (&["model.onnx"], LoadErrorKind::Foreign(Foreign::Onnx), "ONNX"),
            (&["README.md"], LoadErrorKind::NoModel, "expected a GGUF file"),
        ];
        for (names, kind, said) in cases {
            let found = refused(names);
            assert_eq!(found.0, kind, "{names:?}");
            assert!(found.1.contains(said), "{}", found.1);
        }
    }

    #[test]
    fn a_file_of_something_else_says_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.gguf");
        for (bytes, foreign) in [
            (&b"version https://git-lfs.github.com/spec/v1\n"[..], Foreign::LfsPointer),
            (b"<!DOCTYPE html>", Foreign::WebPage),
            (b"tjgg\x03\0\0\0", Foreign::OldGgml),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = at(&path).err().unwrap();
            assert_eq!(error.kind, LoadErrorKind::Foreign(foreign));
            assert_eq!(error.to_string(), format!("{}: {foreign}", path.display()));
        }
    }

    #[test]
    fn later_shards_are_not_models_of_their_own() {
        assert!(is_later_shard("m-00002-of-00003.gguf"));
        assert!(!is_later_shard("m-00001-of-00003.gguf"));
        assert!(!is_later_shard("m-2-of-hearts.gguf"));
    }
}
