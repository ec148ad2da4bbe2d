//! Which files of a repository make up the model that is meant.

use std::collections::BTreeMap;
use std::fmt;

use super::TreeFile;
use crate::file_name::{without_extension, without_shard};
use crate::manifest::FileFormat;

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Wanted {
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

/// Why no choice can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// There is nothing of the kind.
    Nothing,
    /// There are several; these are their names.
    Several(Vec<String>),
}

/// A model's files, and the word that tells it from others in the same repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// The files, split ones in their order.
    pub files: Vec<&'a TreeFile>,
    /// The quantization; `None` where the repository is one model.
    pub label: Option<String>,
}

/// Chooses among the files of a repository.
///
/// # Errors
///
/// When nothing fits, or more than one model does.
pub fn choose<'a>(files: &'a [TreeFile], wanted: &Wanted) -> Result<Chosen<'a>, ChoiceError> {
    let models = models(files);
    let named = |name: &str| models.iter().find(|(key, _)| key.as_str() == name);
    match wanted {
        Wanted::Glob(glob) => {
            let files: Vec<_> = files.iter().filter(|file| glob.matches(file.path.as_str())).collect();
            if files.is_empty() { Err(ChoiceError::Nothing) } else { Ok(Chosen { files, label: None }) }
        }
        Wanted::File(path) => {
            if let Some((stem, files)) = named(whole(path)) {
                return Ok(Chosen { files: files.clone(), label: label(stem) });
            }
            let file = files.iter().find(|file| file.path.as_str() == path).ok_or(ChoiceError::Nothing)?;
            Ok(Chosen { files: vec![file], label: None })
        }
        Wanted::Quantization(asked) => {
            let fits = |stem: &str| label(stem).is_some_and(|label| label.eq_ignore_ascii_case(asked));
            match one(&models, fits) {
                Err(ChoiceError::Nothing) => one(&models, |stem| ends_with_word(stem, asked)),
                found => found,
            }
        }
        Wanted::Default => {
            let usual = |stem: &str| label(stem).as_deref() == Some(USUAL);
            match one(&models, usual) {
                Err(ChoiceError::Nothing) if models.is_empty() => folder(files),
                Err(ChoiceError::Nothing) => one(&models, |_| true),
                found => found,
            }
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
fn models(files: &[TreeFile]) -> BTreeMap<String, Vec<&TreeFile>> {
    let mut models: BTreeMap<_, Vec<_>> = BTreeMap::new();
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

/// Takes the only model that fits.
fn one<'a>(
    models: &BTreeMap<String, Vec<&'a TreeFile>>,
    fits: impl Fn(&str) -> bool,
) -> Result<Chosen<'a>, ChoiceError> {
    let mut fitting = models.iter().filter(|(stem, _)| fits(stem));
    let (stem, files) = fitting.next().ok_or(ChoiceError::Nothing)?;
    if fitting.next().is_none() {
        return Ok(Chosen { files: files.clone(), label: label(stem) });
    }
    let names = models.keys().filter(|stem| fits(stem));
    Err(ChoiceError::Several(names.map(|stem| label(stem).unwrap_or_else(|| stem.clone())).collect()))
}

/// Takes a repository of SafeTensors as one model.
fn folder(files: &[TreeFile]) -> Result<Chosen<'_>, ChoiceError> {
    let top = |file: &TreeFile| !file.path.as_str().contains('/');
    if !files.iter().any(|file| top(file) && FileFormat::SafeTensors.has(file.path.as_str())) {
        return Err(ChoiceError::Nothing);
    }
    let belongs = |file: &TreeFile| {
        let path = file.path.as_str();
        COMPANIONS.contains(&path)
            || (top(file) && FileFormat::SafeTensors.has(path))
            || path.ends_with("_Pooling/config.json")
    };
    Ok(Chosen { files: files.iter().filter(|file| belongs(file)).collect(), label: None })
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

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("the repository has no matching model"),
            Self::Several(names) => write!(f, "the repository has several models: {}", names.join(", ")),
        }
    }
}

impl std::error::Error for ChoiceError {}

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
    use super::super::tree::Content;
    use super::*;
    use crate::manifest::FilePath;

    fn files(paths: &[&str]) -> Vec<TreeFile> {
        let content = Content::GitBlob("0".repeat(40));
        let file = |path: &&str| TreeFile {
            path: FilePath::parse(path).unwrap(),
            size: 1,
            content: content.clone(),
        };
        paths.iter().map(file).collect()
    }

    fn chosen(paths: &[&str], wanted: &Wanted) -> Result<Vec<String>, ChoiceError> {
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
        assert_eq!(chosen(&MANY, &Wanted::Default).unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(
            chosen(&["x/only-Q6_K.gguf", "mmproj.gguf"], &Wanted::Default).unwrap(),
            ["x/only-Q6_K.gguf"]
        );
        let several = chosen(&["a-Q5_0.gguf", "a-Q6_K.gguf"], &Wanted::Default);
        assert_eq!(several, Err(ChoiceError::Several(vec!["Q5_0".into(), "Q6_K".into()])));
        assert_eq!(chosen(&["README.md"], &Wanted::Default), Err(ChoiceError::Nothing));
    }

    #[test]
    fn a_quantization_is_found_by_its_name() {
        let pick = |name: &str| chosen(&MANY, &Wanted::Quantization(name.into()));
        assert_eq!(pick("q4_k_m").unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(pick("UD-Q4_K_XL").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(pick("Q4_K_XL").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(pick("Q8_0").unwrap(), ["m-q8_0.gguf"]);
        assert_eq!(pick("Q3_K"), Err(ChoiceError::Nothing));
    }

    #[test]
    fn split_files_come_whole_and_in_order() {
        let whole = ["BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf"];
        assert_eq!(chosen(&MANY, &Wanted::Quantization("BF16".into())).unwrap(), whole);
        assert_eq!(chosen(&MANY, &Wanted::File(whole[1].into())).unwrap(), whole);
        assert_eq!(chosen(&MANY, &Wanted::File("mmproj-F16.gguf".into())).unwrap(), ["mmproj-F16.gguf"]);
        assert_eq!(chosen(&MANY, &Wanted::File("none".into())), Err(ChoiceError::Nothing));
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
        assert_eq!(chosen(&paths, &Wanted::Default).unwrap(), expected);
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
