//! Languages as data: by which names their files are known, and how comments and texts are written in them.

use std::path::Path;

use super::languages::LANGUAGES;

/// One language.
#[derive(Debug)]
pub struct Language {
    /// Its name.
    pub name: &'static str,
    /// What most of its lines are.
    pub content: Content,
    pub(crate) extensions: &'static [&'static str],
    pub(crate) file_names: &'static [&'static str],
    /// Programs that `#!` names.
    pub(crate) interpreters: &'static [&'static str],
    pub(crate) syntax: Syntax,
}

/// What a language is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Programs.
    Code,
    /// Values, settings, descriptions of pages.
    Data,
    /// Text for people, each line of which counts as a comment.
    Prose,
}

/// How comments and texts begin and end.
#[derive(Debug)]
pub(crate) struct Syntax {
    pub(crate) line: &'static [&'static str],
    pub(crate) block: &'static [(&'static str, &'static str)],
    /// Whether comments stand in comments.
    pub(crate) nested: bool,
    /// Texts that end with their line, and in which a backslash escapes.
    pub(crate) quotes: &'static [&'static str],
    /// Texts that may have several lines.
    pub(crate) long_quotes: &'static [(&'static str, &'static str)],
    /// Those in which a backslash is one.
    pub(crate) raw_quotes: &'static [(&'static str, &'static str)],
}

impl Language {
    /// Finds the language of a file by its name, and in files without an extension by the program that `#!` names.
    pub fn of(path: &Path, beginning: &[u8]) -> Option<&'static Self> {
        let name = path.file_name()?.to_str()?;
        if let Some(language) = Self::by_name(name) {
            return Some(language);
        }
        if path.extension().is_some() { None } else { by_interpreter(beginning) }
    }

    /// Finds the language of a file by its name alone.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        if let Some(language) = LANGUAGES.iter().find(|language| language.file_names.contains(&name)) {
            return Some(language);
        }
        let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
        LANGUAGES.iter().find(|language| language.extensions.contains(&extension.as_str()))
    }
}

/// Reads `#!/usr/bin/env python3`.
fn by_interpreter(beginning: &[u8]) -> Option<&'static Language> {
    let line = beginning.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(INTERPRETER_BYTES_MAX))?).ok()?;
    let mut words = line.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    let program = if program == "env" { words.find(|word| !word.starts_with('-'))? } else { program };
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    LANGUAGES.iter().find(|language| language.interpreters.contains(&program))
}

/// No system reads a longer line after `#!`.
const INTERPRETER_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str, beginning: &str) -> Option<&'static str> {
        Language::of(Path::new(path), beginning.as_bytes()).map(|language| language.name)
    }

    #[test]
    fn extensions_and_names_tell_the_language() {
        let rows = [
            ("Python", "a.py a.pyx a.pyi"),
            ("C", "a.c a.h"),
            ("C++", "a.cpp a.cc a.cxx a.hpp a.hxx a.hh"),
            ("Rust", "a.rs"),
            ("Shell", "a.sh a.bash a.zsh"),
            ("JavaScript", "a.js a.jsx a.mjs"),
            ("TypeScript", "a.ts a.tsx"),
            ("Go", "a.go"),
            ("Java", "a.java"),
            ("Makefile", "Makefile GNUmakefile rules.mk"),
        ];
        for (language, files) in rows {
            for file in files.split(' ') {
                assert_eq!(name(file, ""), Some(language), "{file}");
            }
        }
        assert_eq!(name("a.unknown", "#!/bin/sh\n"), None);
        assert_eq!(name("A.PY", ""), Some("Python"));
    }

    #[test]
    fn scripts_without_an_extension_say_who_runs_them() {
        assert_eq!(name("tool", "#!/usr/bin/env python3.11\n"), Some("Python"));
        assert_eq!(name("tool", "#!/usr/bin/env -S bash -e\n"), Some("Shell"));
        assert_eq!(name("tool", "#!/bin/sh"), Some("Shell"));
        assert_eq!(name("tool", "plain"), None);
    }

    #[test]
    fn no_extension_belongs_to_two_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for language in LANGUAGES {
            for extension in language.extensions {
                assert!(seen.insert(*extension), "{extension}");
            }
        }
    }
}
