//! What is kept of each file, and what all of them add up to.

use std::collections::BTreeMap;
use std::path::Path;

use memchr::memmem;

use super::language::{Content, Language};
use super::lines::{LineCount, count};

/// One file.
pub(crate) struct FileFacts {
    language: &'static Language,
    lines: LineCount,
    todos: u64,
    has_tests: bool,
}

impl FileFacts {
    pub(crate) fn of(path: &Path, language: &'static Language, bytes: &[u8]) -> Self {
        let is_code = language.content == Content::Code;
        let todos = TODOS.iter().map(|word| memmem::find_iter(bytes, word).count() as u64).sum();
        let has_tests = is_code
            && (is_test(path) || language.name == "Rust" && memmem::find(bytes, b"#[test]").is_some());
        Self { language, lines: count(language, bytes), todos: if is_code { todos } else { 0 }, has_tests }
    }
}

/// Whether a file is a test by its name or its folder, as the tools of its language find them.
fn is_test(path: &Path) -> bool {
    let folders = path.parent().into_iter().flat_map(Path::iter).filter_map(|part| part.to_str());
    if folders.into_iter().any(|folder| ["test", "tests", "__tests__", "spec"].contains(&folder)) {
        return true;
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let ends = ["_test", "_tests", "_spec", ".test", ".spec", "Test", "Tests"];
    stem.starts_with("test_") || ends.iter().any(|end| stem.ends_with(end))
}

/// What the files of a tree add up to.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that a repository has or lacks")]
pub(crate) struct Tally {
    /// By the name of the language.
    pub(crate) languages: BTreeMap<&'static str, (&'static Language, u64, LineCount)>,
    /// Lines of code files that are long.
    pub(crate) lines_in_long_files: u64,
    pub(crate) todos: u64,
    pub(crate) has_tests: bool,
    pub(crate) has_readme: bool,
    pub(crate) has_license: bool,
    pub(crate) has_ci: bool,
}

impl Tally {
    /// Looks at the path of a file, relative to the root.
    pub(crate) fn see_path(&mut self, path: &Path) {
        let mut parts = path.iter().filter_map(|part| part.to_str());
        let (Some(first), second) = (parts.next(), parts.next()) else { return };
        let lower = first.to_ascii_lowercase();
        if second.is_none() {
            self.has_readme |= lower == "readme" || lower.starts_with("readme.");
            self.has_license |= ["license", "licence", "copying", "unlicense"].iter().any(|name| {
                lower.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
            });
            self.has_ci |= CI_FILES.contains(&first);
        } else {
            self.has_license |= first == "LICENSES";
            self.has_ci |= CI_FOLDERS.contains(&first) || first == ".github" && second == Some("workflows");
        }
    }

    pub(crate) fn add_file(&mut self, file: &FileFacts) {
        let entry =
            self.languages.entry(file.language.name).or_insert((file.language, 0, LineCount::default()));
        entry.1 += 1;
        entry.2 += file.lines;
        if file.language.content == Content::Code && file.lines.filled() > LONG_FILE_LINES {
            self.lines_in_long_files += file.lines.filled();
        }
        self.todos += file.todos;
        self.has_tests |= file.has_tests;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (name, (language, files, lines)) in other.languages {
            let entry = self.languages.entry(name).or_insert((language, 0, LineCount::default()));
            entry.1 += files;
            entry.2 += lines;
        }
        self.lines_in_long_files += other.lines_in_long_files;
        self.todos += other.todos;
        self.has_tests |= other.has_tests;
        self.has_readme |= other.has_readme;
        self.has_license |= other.has_license;
        self.has_ci |= other.has_ci;
    }

    /// Returns the lines of code files.
    pub(crate) fn code_lines(&self) -> u64 {
        let code = self.languages.values().filter(|(language, ..)| language.content == Content::Code);
        code.map(|(_, _, lines)| lines.filled()).sum()
    }
}

const TODOS: [&[u8]; 2] = [b"TODO", b"FIXME"];

/// Longer files are hard to read.
const LONG_FILE_LINES: u64 = 500;

const CI_FILES: &[&str] = &[
    ".gitlab-ci.yml",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".drone.yml",
    ".cirrus.yml",
    ".woodpecker.yml",
    "appveyor.yml",
    ".appveyor.yml",
    ".build.yml",
];
const CI_FOLDERS: &[&str] =
    &[".circleci", ".buildkite", ".woodpecker", ".builds", ".ci", ".forgejo", ".gitea"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_what_a_repository_has() {
        let seen = |paths: &[&str]| {
            let mut tally = Tally::default();
            paths.iter().for_each(|path| tally.see_path(Path::new(path)));
            (tally.has_readme, tally.has_license, tally.has_ci)
        };
        assert_eq!(seen(&["README.md", "LICENSE-MIT", ".github/workflows/ci.yml"]), (true, true, true));
        assert_eq!(seen(&["docs/README.md", "licenses.py", ".github/dependabot.yml"]), (false, false, false));
        assert_eq!(seen(&["readme", "COPYING", ".gitlab-ci.yml"]), (true, true, true));
    }

    #[test]
    fn tests_are_found_as_their_tools_find_them() {
        for path in ["tests/a.py", "test_a.py", "a_test.go", "src/a.test.ts", "a/ATest.java"] {
            assert!(is_test(Path::new(path)), "{path}");
        }
        for path in ["contest.py", "src/latest/a.py", "testing.go"] {
            assert!(!is_test(Path::new(path)), "{path}");
        }
    }
}
