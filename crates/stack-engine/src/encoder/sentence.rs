//! What sentence-transformers keeps beside a model: how its hidden states become one vector, and what inputs it takes.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::pooling::Pooling;
use crate::weights::{Files, LoadError};

/// The settings that matter here; all absent in a plain directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) pooling: Option<Pooling>,
    /// Tokens that an input may have.
    pub(super) tokens_max: Option<usize>,
    /// Whether texts are lowercased before they are tokenized.
    pub(super) lowercase: bool,
    /// Matrices behind the pooling.
    pub(super) dense: Vec<Dense>,
}

/// A matrix behind the pooling, as 32-bit floats.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dense {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) bytes: Vec<u8>,
}

impl Sentence {
    /// Reads the files of a model's directory.
    ///
    /// # Errors
    ///
    /// When a file is malformed, or asks for a module or a pooling that this program does not know.
    pub(super) fn read(files: &Files) -> Result<Self, LoadError> {
        let Folders { pooling: folder, dense: folders } = folders(files)?;
        let pooling = match folder {
            None => None,
            Some(folder) => pooling(files, &format!("{folder}/config.json"))?,
        };
        let dense = folders.iter().map(|folder| dense(files, folder)).collect::<Result<_, _>>()?;
        let limits: SentenceBertConfig = optional_json(files, LIMITS)?.unwrap_or_default();
        if limits.max_seq_length == Some(0) {
            return Err(wrong(files, LIMITS, "max_seq_length is zero"));
        }
        Ok(Self {
            pooling,
            tokens_max: limits.max_seq_length,
            lowercase: limits.do_lower_case == Some(true),
            dense,
        })
    }
}

#[derive(Default, Deserialize)]
struct SentenceBertConfig {
    #[serde(default)]
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: Option<bool>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    class: String,
}

/// The folders of the modules that a model is made of.
#[derive(Default)]
struct Folders {
    pooling: Option<String>,
    dense: Vec<String>,
}

/// Finds the folders of modules.
fn folders(files: &Files) -> Result<Folders, LoadError> {
    let mut folders = Folders::default();
    let Some(modules) = optional_json::<Vec<Module>>(files, MODULES)? else { return Ok(folders) };
    for Module { path, class } in modules {
        let class_name = class.rsplit('.').next().unwrap_or_default();
        match class_name {
            "Transformer" if path.is_empty() => {}
            "Transformer" => {
                let problem = format!("says that the transformer is in {path:?}; only {:?} is read", "");
                return Err(wrong(files, MODULES, problem));
            }
            // A path that leads elsewhere would let a model read any file.
            "Pooling" | "Dense" if Path::new(&path).file_name().is_none_or(|name| name != path.as_str()) => {
                let problem = format!("names the folder {path:?}, which is not beside it");
                return Err(wrong(files, MODULES, problem));
            }
            "Pooling" => folders.pooling = Some(path),
            "Dense" if folders.dense.len() < 2 => folders.dense.push(path),
            // Vectors are always brought to length 1.
            "Normalize" => {}
            _ => {
                let problem = format!(
                    "has a module {class}; known are Transformer, Pooling, two times Dense, and Normalize"
                );
                return Err(wrong(files, MODULES, problem));
            }
        }
    }
    Ok(folders)
}

#[derive(Deserialize)]
struct DenseConfig {
    #[serde(default)]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
}

/// Reads a matrix behind the pooling.
fn dense(files: &Files, folder: &str) -> Result<Dense, LoadError> {
    let (name, weights) = (format!("{folder}/config.json"), format!("{folder}/model.safetensors"));
    let Some(config) = optional_json::<DenseConfig>(files, &name)? else {
        return Err(wrong(files, &name, "is missing"));
    };
    let function = config.activation_function.unwrap_or_else(|| "Tanh".to_owned());
    if config.bias || function.rsplit('.').next() != Some("Identity") {
        let problem =
            format!("has a bias or the activation {function}; known is a matrix alone, with Identity");
        return Err(wrong(files, &name, problem));
    }
    let bytes = files.read(&weights)?;
    let unreadable = |error| LoadError::caused(files.subject(&weights), "cannot be read", error);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(unreadable)?;
    let matrix = tensors.tensor("linear.weight").map_err(unreadable)?;
    match (matrix.dtype(), matrix.shape()) {
        (safetensors::Dtype::F32, &[rows, columns]) => {
            Ok(Dense { rows, columns, bytes: matrix.data().to_vec() })
        }
        (ty, shape) => {
            let problem = format!("linear.weight is {ty:?} of shape {shape:?}; expected an F32 matrix");
            Err(wrong(files, &weights, problem))
        }
    }
}

/// Reads which one of the poolings is switched on.
fn pooling(files: &Files, name: &str) -> Result<Option<Pooling>, LoadError> {
    let Some(settings) = optional_json::<Map<String, Json>>(files, name)? else { return Ok(None) };
    let mut chosen = Vec::new();
    for (name, value) in &settings {
        if let Some(mode) = name.strip_prefix("pooling_mode_")
            && value == &Json::Bool(true)
        {
            chosen.push(mode);
        }
    }
    // Newer files name it.
    match settings.get("pooling_mode").and_then(Json::as_str) {
        Some("mean") => chosen.push("mean_tokens"),
        Some("cls") => chosen.push("cls_token"),
        Some(other) => chosen.push(other),
        None => {}
    }
    match chosen.as_slice() {
        // The square root of the length is a factor, which is gone when vectors are brought to length 1.
        ["mean_tokens" | "mean_sqrt_len_tokens"] => Ok(Some(Pooling::Mean)),
        ["cls_token"] => Ok(Some(Pooling::First)),
        ["lasttoken"] => Ok(Some(Pooling::Last)),
        other => {
            let problem = format!(
                "switches on the poolings {other:?}; one of mean_tokens, cls_token and lasttoken is known"
            );
            Err(wrong(files, name, problem))
        }
    }
}

/// Reads a JSON file, if there is one.
pub(super) fn optional_json<T: DeserializeOwned>(files: &Files, name: &str) -> Result<Option<T>, LoadError> {
    if !files.has_companion(name) {
        return Ok(None);
    }
    serde_json::from_slice(&files.read(name)?)
        .map(Some)
        .map_err(|error| wrong(files, name, format!("cannot be parsed: {error}")))
}

fn wrong(files: &Files, name: &str, problem: impl Into<String>) -> LoadError {
    LoadError::new(files.subject(name), problem)
}

const LIMITS: &str = "sentence_bert_config.json";
const MODULES: &str = "modules.json";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MODULES: &str = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#;

    fn read(modules: &str, pooling: &str, limits: &str) -> Result<Sentence, LoadError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("1_Pooling")).unwrap();
        fs::write(dir.path().join("modules.json"), modules).unwrap();
        fs::write(dir.path().join("1_Pooling/config.json"), pooling).unwrap();
        fs::write(dir.path().join("sentence_bert_config.json"), limits).unwrap();
        Sentence::read(&Files::at(dir.path()).unwrap())
    }

    #[test]
    fn a_plain_directory_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Sentence::read(&Files::at(dir.path()).unwrap()).unwrap(), Sentence::default());
    }

    #[test]
    fn the_files_are_read() {
        let pooling = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
        let found = read(MODULES, pooling, r#"{"max_seq_length": 256, "do_lower_case": true}"#).unwrap();
        let expected = Sentence {
            pooling: Some(Pooling::First),
            tokens_max: Some(256),
            lowercase: true,
            dense: Vec::new(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_unknown_or_malformed_is_named() {
        let mean = r#"{"pooling_mode_mean_tokens": true}"#;
        let dense = MODULES.replace("models.Normalize", "models.Dense");
        let router = MODULES.replace("models.Normalize", "models.Router");
        let elsewhere = MODULES.replace("1_Pooling\"", "../1_Pooling\"");
        let both = r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#;
        for (modules, pooling, limits, subject, problem) in [
            (dense.as_str(), mean, "{}", "2_Normalize/config.json", "is missing"),
            (router.as_str(), mean, "{}", "modules.json", "models.Router"),
            (elsewhere.as_str(), mean, "{}", "modules.json", "not beside it"),
            ("{}", mean, "{}", "modules.json", "cannot be parsed"),
            (MODULES, both, "{}", "1_Pooling/config.json", "max_tokens"),
            (MODULES, "{}", "{}", "1_Pooling/config.json", "[]"),
            (MODULES, mean, r#"{"max_seq_length": 0}"#, "sentence_bert_config.json", "is zero"),
            (MODULES, mean, r#"{"max_seq_length": -1}"#, "sentence_bert_config.json", "cannot be parsed"),
        ] {
            let error = read(modules, pooling, limits).unwrap_err();
            assert!(error.subject.ends_with(subject), "{error}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
