//! Which files of a repository make up the model that is meant.

use std::collections::BTreeMap;
use std::fmt;

use super::RepositoryFile;
use crate::file_name::{without_extension, without_shard};
use crate::manifest::FileFormat;

/// What was asked for.
#[derive(Clone, Debug)]
pub enum FileSelector {
    /// Whatever is usual: `Q4_K_M`, the only GGUF, or the folder of SafeTensors.
    Default,
    /// One quantization.
    Quantization(String),
    /// One file, and the others if it is a split one.
    File(String),
    /// Every file that matches.
    Glob(Glob),
}

/// A pattern of paths: `*` and `?` within a part, `**` across parts.
#[derive(Clone, Debug)]
pub struct Glob(String);

/// Why no choice can be made. A model is named by its quantization where that tells it from all others, else by its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// There is nothing of the kind; these are the models that there are.
    Nothing(Vec<String>),
    /// All weights are pickles, such as this file: programs, which run when they are loaded.
    Pickled(String),
    /// There are several.
    Several(Vec<String>),
}

/// A model's files, and the word that tells it from others in the same repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedFiles<'a> {
    /// The files, split ones in their order.
    pub files: Vec<&'a RepositoryFile>,
    /// The quantization; `None` where the repository is one model.
    pub label: Option<String>,
}

/// The GGUF files of each model, by what their paths have in common.
type Models<'a> = BTreeMap<String, Vec<&'a RepositoryFile>>;

/// Chooses among the files of a repository.
///
/// # Errors
///
/// When nothing fits, or more than one model does.
pub fn choose<'a>(
    files: &'a [RepositoryFile],
    wanted: &FileSelector,
) -> Result<SelectedFiles<'a>, SelectorError> {
    let models = models(files);
    let named = |name: &str| models.iter().find(|(key, _)| key.as_str() == name);
    match wanted {
        FileSelector::Glob(glob) => {
            let matching: Vec<_> = files.iter().filter(|file| glob.matches(file.path.as_str())).collect();
            if matching.is_empty() {
                return Err(nothing(&models, files));
            }
            Ok(SelectedFiles { files: matching, label: None })
        }
        FileSelector::File(path) => {
            if let Some((stem, files)) = named(whole(path)) {
                return Ok(SelectedFiles { files: files.clone(), label: label(stem) });
            }
            let file = files.iter().find(|file| file.path.as_str() == path);
            let file = file.ok_or_else(|| nothing(&models, files))?;
            Ok(SelectedFiles { files: vec![file], label: None })
        }
        FileSelector::Quantization(asked) => {
            let fits = |stem: &str| label(stem).is_some_and(|label| label.eq_ignore_ascii_case(asked));
            let found = one(&models, fits)?;
            let found =
                found.map_or_else(|| one(&models, |stem| ends_with_word(stem, asked)), |it| Ok(Some(it)));
            found?.ok_or_else(|| nothing(&models, files))
        }
        FileSelector::Default => {
            let usual = |stem: &str| label(stem).as_deref() == Some(USUAL);
            if let Some(found) = one(&models, usual)? {
                return Ok(found);
            }
            let found = if models.is_empty() { folder(files) } else { one(&models, |_| true)? };
            found.ok_or_else(|| nothing(&models, files))
        }
    }
}

/// Returns the quantization that a path without its ending names, in capitals: `a/b-UD-q4_k_xl` is `UD-Q4_K_XL`.
pub fn label(stem: &str) -> Option<String> {
    let name = stem.rsplit('/').next().unwrap_or(stem);
    let from_name = || {
        let at = name.rfind(['-', '.'])?;
        let word = &name[at + 1..];
        let dynamic = name[..at].to_ascii_uppercase().ends_with("-UD");
        is_quantization(word).then(|| if dynamic { format!("UD-{word}") } else { word.to_owned() })
    };
    let from_folder = || {
        let folder = stem.rsplit('/').nth(1)?;
        is_quantization(folder.trim_start_matches("UD-")).then(|| folder.to_owned())
    };
    from_name().or_else(from_folder).map(|label| label.to_ascii_uppercase())
}

/// Groups GGUF files by what they are without number and ending. Projectors and importance matrices are no models.
fn models(files: &[RepositoryFile]) -> Models<'_> {
    let mut models = Models::new();
    for file in files {
        let (path, name) = (file.path.as_str(), file.path.file_name().to_ascii_lowercase());
        if FileFormat::Gguf.has(path) && !name.starts_with("mmproj") && !name.contains("imatrix") {
            models.entry(whole(path).to_owned()).or_default().push(file);
        }
    }
    models.values_mut().for_each(|files| files.sort_by(|a, b| a.path.cmp(&b.path)));
    models
}

/// Strips the extension, and `-00001-of-00003`.
fn whole(path: &str) -> &str {
    without_shard(without_extension(path, FileFormat::Gguf.extension()))
}

/// Takes the only model that fits, if one does.
fn one<'a>(
    models: &Models<'a>,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<SelectedFiles<'a>>, SelectorError> {
    let mut fitting = models.iter().filter(|(stem, _)| fits(stem));
    let Some((stem, files)) = fitting.next() else { return Ok(None) };
    if fitting.next().is_none() {
        return Ok(Some(SelectedFiles { files: files.clone(), label: label(stem) }));
    }
    Err(SelectorError::Several(names(models, fits)))
}

/// Names models so that each name chooses its own: by the quantization, or where several have that one, by a file.
fn names(models: &Models<'_>, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let with = |wanted: &String| models.keys().filter(|stem| label(stem).as_ref() == Some(wanted)).count();
    let fitting = models.iter().filter(|(stem, _)| fits(stem));
    let name = |(stem, files): (&String, &Vec<&RepositoryFile>)| {
        let path = || files.first().map_or_else(|| stem.clone(), |file| file.path.to_string());
        label(stem).filter(|label| with(label) == 1).unwrap_or_else(path)
    };
    fitting.map(name).collect()
}

/// Says what there is instead of what was asked for.
fn nothing(models: &Models<'_>, files: &[RepositoryFile]) -> SelectorError {
    let pickled = |file: &&RepositoryFile| is_pickled(file.path.file_name());
    let readable = |file: &RepositoryFile| FileFormat::SafeTensors.has(file.path.as_str());
    match files.iter().find(pickled) {
        Some(file) if models.is_empty() && !files.iter().any(readable) => {
            SelectorError::Pickled(file.path.to_string())
        }
        _ => SelectorError::Nothing(names(models, |_| true)),
    }
}

/// Whether a file holds weights as `PyTorch` pickles them.
fn is_pickled(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = ["pt", "pth", "ckpt", "pkl", "pickle"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    known
        || (ending == "bin"
            && ["pytorch_model", "model", "consolidated"].iter().any(|stem| name.starts_with(stem)))
}

/// Takes a repository of SafeTensors as one model.
fn folder(files: &[RepositoryFile]) -> Option<SelectedFiles<'_>> {
    let top = |file: &RepositoryFile| !file.path.as_str().contains('/');
    if !files.iter().any(|file| top(file) && FileFormat::SafeTensors.has(file.path.as_str())) {
        return None;
    }
    let belongs = |file: &RepositoryFile| {
        let path = file.path.as_str();
        COMPANIONS.contains(&path)
            || (top(file) && FileFormat::SafeTensors.has(path))
            || path.ends_with("_Pooling/config.json")
    };
    Some(SelectedFiles { files: files.iter().filter(|file| belongs(file)).collect(), label: None })
}

fn is_quantization(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    let rest = word.strip_prefix('T').or_else(|| word.strip_prefix('I')).unwrap_or(&word);
    let numbered = rest.strip_prefix('Q').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    numbered || matches!(word.as_str(), "F16" | "F32" | "BF16" | "FP16" | "FP32" | "MXFP4" | "MXFP4_MOE")
}

fn ends_with_word(stem: &str, word: &str) -> bool {
    let Some(at) = stem.len().checked_sub(word.len()) else { return false };
    let tail = stem.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(word));
    tail && (at == 0 || matches!(stem.as_bytes()[at - 1], b'-' | b'.' | b'_' | b'/'))
}

impl Glob {
    /// Takes a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether a path matches. A pattern without `/` may match in any folder.
    pub fn matches(&self, path: &str) -> bool {
        let path = if self.0.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
        matches(self.0.as_bytes(), path.as_bytes())
    }
}

/// Matches with one step back at a time, so that no pattern takes more than its length times the path's.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the latest star does not fit: after the star, and after the text taken by it.
    let (mut star, mut double) = (None::<(usize, usize)>, None::<(usize, usize)>);
    loop {
        match pattern.get(p) {
            Some(b'*') if pattern.get(p + 1) == Some(&b'*') => {
                (double, star) = (Some((p + 2, t)), None);
                p += 2;
                continue;
            }
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(&byte) if t < text.len() && (byte == text[t] || (byte == b'?' && text[t] != b'/')) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match (star, double) {
            (Some((after, taken)), _) if taken < text.len() && text[taken] != b'/' => {
                star = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            (_, Some((after, taken))) if taken < text.len() => {
                (double, star) = (Some((after, taken + 1)), None);
                (p, t) = (after, taken + 1);
            }
            _ => return false,
        }
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(there) if there.is_empty() => f.write_str("the repository has no matching model"),
            Self::Nothing(there) => {
                write!(f, "the repository has no matching model; it has {}", listed(there))
            }
            Self::Pickled(file) => write!(
                f,
                "the repository has its weights as pickles only ({file}): programs, which run when they are loaded"
            ),
            Self::Several(names) => write!(f, "the repository has several models: {}", listed(names)),
        }
    }
}

impl std::error::Error for SelectorError {}

/// Lists names for people, who have seen enough after some.
fn listed(names: &[String]) -> String {
    match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => {
            format!("{} and {} more", first.join(", "), names.len() - NAMES_MAX)
        }
        _ => names.join(", "),
    }
}

/// Repositories have two dozen quantizations of a model.
const NAMES_MAX: usize = 40;

const USUAL: &str = "Q4_K_M";
/// What a folder of SafeTensors needs beside them.
const COMPANIONS: [&str; 15] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "additional_chat_templates/tool_use.jinja",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json",
];

#[cfg(test)]
mod tests {
    use super::super::tree::ContentDigest;
    use super::*;
    use crate::manifest::FilePath;

    fn files(paths: &[&str]) -> Vec<RepositoryFile> {
        let content = ContentDigest::GitBlob("0".repeat(40));
        let file = |path: &&str| RepositoryFile {
            path: FilePath::parse(path).unwrap(),
            size: 1,
            content: content.clone(),
        };
        paths.iter().map(file).collect()
    }

    fn chosen(paths: &[&str], wanted: &FileSelector) -> Result<Vec<String>, SelectorError> {
        let files = files(paths);
        choose(&files, wanted).map(|chosen| chosen.files.iter().map(|file| file.path.to_string()).collect())
    }

    const MANY: [&str; 9] = [
        "README.md",
        "m-Q4_K_M.gguf",
        "m-UD-Q4_K_XL.gguf",
        "m-q8_0.gguf",
        "BF16/m-BF16-00002-of-00002.gguf",
        "BF16/m-BF16-00001-of-00002.gguf",
        "mmproj-F16.gguf",
        "m.imatrix.gguf",
        "m-IQ2_XXS.gguf",
    ];

    #[test]
    fn the_usual_quantization_is_taken_if_there() {
        assert_eq!(chosen(&MANY, &FileSelector::Default).unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(
            chosen(&["x/only-Q6_K.gguf", "mmproj.gguf"], &FileSelector::Default).unwrap(),
            ["x/only-Q6_K.gguf"]
        );
        let several = chosen(&["a-Q5_0.gguf", "a-Q6_K.gguf"], &FileSelector::Default);
        assert_eq!(several, Err(SelectorError::Several(vec!["Q5_0".into(), "Q6_K".into()])));
        assert_eq!(chosen(&["README.md"], &FileSelector::Default), Err(SelectorError::Nothing(Vec::new())));
    }

    #[test]
    fn models_of_one_quantization_are_told_apart_by_their_files() {
        let twice = ["a-Q4_K_M.gguf", "sub/b-Q4_K_M.gguf", "a-Q8_0.gguf"];
        let error = chosen(&twice, &FileSelector::Default).unwrap_err();
        assert_eq!(error, SelectorError::Several(vec!["a-Q4_K_M.gguf".into(), "sub/b-Q4_K_M.gguf".into()]));
        assert_eq!(
            chosen(&twice, &FileSelector::File("sub/b-Q4_K_M.gguf".into())).unwrap(),
            ["sub/b-Q4_K_M.gguf"]
        );
        let there = ["Q8_0", "a-Q4_K_M.gguf", "sub/b-Q4_K_M.gguf"];
        for wanted in [
            FileSelector::Quantization("Q9".into()),
            FileSelector::File("c.gguf".into()),
            FileSelector::Glob(Glob::new("*.onnx")),
        ] {
            let Err(SelectorError::Nothing(mut names)) = chosen(&twice, &wanted) else {
                panic!("{wanted:?} is not there")
            };
            names.sort();
            assert_eq!(names, there, "{wanted:?}");
        }
    }

    #[test]
    fn weights_that_are_programs_are_told_as_such() {
        for name in ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "sub/weights.pt", "x.CKPT"] {
            let error = chosen(&["config.json", name], &FileSelector::Default).unwrap_err();
            assert_eq!(error, SelectorError::Pickled(name.into()));
            assert!(error.to_string().contains("pickles"), "{error}");
        }
        assert_eq!(
            chosen(&["pytorch_model.bin", "model.safetensors"], &FileSelector::Default).unwrap(),
            ["model.safetensors"]
        );
        let error = chosen(&["tokenizer.bin", "README.md"], &FileSelector::Default).unwrap_err();
        assert_eq!(error, SelectorError::Nothing(Vec::new()));
    }

    #[test]
    fn a_quantization_is_found_by_its_name() {
        let pick = |name: &str| chosen(&MANY, &FileSelector::Quantization(name.into()));
        assert_eq!(pick("q4_k_m").unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(pick("UD-Q4_K_XL").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(pick("Q4_K_XL").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(pick("Q8_0").unwrap(), ["m-q8_0.gguf"]);
        assert!(matches!(pick("Q3_K"), Err(SelectorError::Nothing(there)) if there.len() == 5));
    }

    #[test]
    fn split_files_come_whole_and_in_order() {
        let whole = ["BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf"];
        assert_eq!(chosen(&MANY, &FileSelector::Quantization("BF16".into())).unwrap(), whole);
        assert_eq!(chosen(&MANY, &FileSelector::File(whole[1].into())).unwrap(), whole);
        assert_eq!(
            chosen(&MANY, &FileSelector::File("mmproj-F16.gguf".into())).unwrap(),
            ["mmproj-F16.gguf"]
        );
        assert!(matches!(chosen(&MANY, &FileSelector::File("none".into())), Err(SelectorError::Nothing(_))));
    }

    #[test]
    fn a_folder_of_safetensors_is_one_model() {
        let paths = [
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx/x.safetensors",
            "1_Pooling/config.json",
            "additional_chat_templates/rag.jinja",
            "additional_chat_templates/tool_use.jinja",
            "train.py",
        ];
        let expected = [
            "config.json",
            "model.safetensors",
            "1_Pooling/config.json",
            "additional_chat_templates/tool_use.jinja",
        ];
        assert_eq!(chosen(&paths, &FileSelector::Default).unwrap(), expected);
    }

    #[test]
    fn labels_are_read_from_names_and_folders() {
        for (stem, expected) in [
            ("m-Q4_K_M", Some("Q4_K_M")),
            ("m.i1-IQ3_S", Some("IQ3_S")),
            ("m.q4_0", Some("Q4_0")),
            ("Q5_K_S/model", Some("Q5_K_S")),
            ("m-TQ1_0", Some("TQ1_0")),
            ("m-4B", None),
            ("model", None),
        ] {
            assert_eq!(label(stem).as_deref(), expected, "{stem}");
        }
    }

    #[test]
    fn globs_match_within_and_across_folders() {
        for (pattern, path, expected) in [
            ("*.gguf", "a/b.gguf", true),
            ("a/*.gguf", "a/b.gguf", true),
            ("a/*.gguf", "a/b/c.gguf", false),
            ("a/**.gguf", "a/b/c.gguf", true),
            ("**/c.gguf", "a/b/c.gguf", true),
            ("m-Q?_*", "m-Q4_K.gguf", true),
            ("m-Q?_*", "m-Q44", false),
            ("", "a", false),
            ("a*b*c", "aXbXbc", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(path), expected, "{pattern} {path}");
        }
        // No pattern takes exponential time.
        assert!(!Glob::new("a*".repeat(100) + "b").matches(&"a".repeat(250)));
    }
}
