//! Files that a text is written about, with numbered lines.

use std::fmt::{self, Write};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ignore::WalkBuilder;
use regex::Regex;

use crate::analyze::{Language, is_skipped};

/// Files, read and numbered.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    text: String,
    /// Each file with the number of its lines.
    files: Vec<(String, usize)>,
}

/// Why files cannot be put into a prompt.
#[derive(Debug)]
pub enum SourceError {
    /// A file or folder cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A file that was named is no text.
    NoText(PathBuf),
    /// There is more than could ever be put into a prompt.
    TooMuch(PathBuf),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, _) => write!(f, "{} cannot be read", path.display()),
            Self::NoText(path) => write!(f, "{} is not UTF-8", path.display()),
            Self::TooMuch(path) => {
                write!(
                    f,
                    "with {} the sources have more than {BYTES_MAX} bytes or {FILES_MAX} files",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

impl Sources {
    /// Reads files, and in folders those of known languages. `scrub` replaces secrets before anything else sees them.
    ///
    /// # Errors
    ///
    /// When something that was named cannot be read, or there is too much.
    pub fn read(paths: &[PathBuf], scrub: &dyn Fn(&str) -> String) -> Result<Self, SourceError> {
        let mut sources = Self::default();
        for path in paths {
            let unreadable = |error| SourceError::Unreadable(path.clone(), error);
            if !fs::metadata(path).map_err(unreadable)?.is_dir() {
                sources.add(path, scrub, true)?;
                continue;
            }
            for file in files_in(path)? {
                sources.add(&file, scrub, false)?;
            }
        }
        Ok(sources)
    }

    fn add(
        &mut self,
        path: &Path,
        scrub: &dyn Fn(&str) -> String,
        was_named: bool,
    ) -> Result<(), SourceError> {
        let unreadable = |error| SourceError::Unreadable(path.to_owned(), error);
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if self.text.len() + bytes.len() > BYTES_MAX || self.files.len() >= FILES_MAX {
            return Err(SourceError::TooMuch(path.to_owned()));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => scrub(&text),
            Err(_) if was_named => return Err(SourceError::NoText(path.to_owned())),
            Err(_) => return Ok(()),
        };
        let name = path.display().to_string().replace('\\', "/");
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.text, "## {name}\n");
        for (line, number) in text.lines().zip(1..) {
            let _infallible = writeln!(self.text, "{number:>5} | {line}");
        }
        self.text.push('\n');
        self.files.push((name, text.lines().count()));
        Ok(())
    }

    /// Returns all files as they stand in a prompt.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names the files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// Counts the citations of a text that lead to a line of these files, and lists those that lead nowhere.
    pub fn citations(&self, text: &str) -> (usize, Vec<String>) {
        let (mut good, mut bad) = (0, Vec::new());
        for found in CITATION.captures_iter(text) {
            let lines = self.files.iter().find(|(name, _)| name == &found[1]).map_or(0, |(_, lines)| *lines);
            let line: usize = found[2].parse().unwrap_or(usize::MAX);
            let last = found.get(3).map_or(line, |last| last.as_str().parse().unwrap_or(usize::MAX));
            if (1..=lines).contains(&line) && (line..=lines).contains(&last) {
                good += 1;
            } else {
                bad.push(found[0].to_owned());
            }
        }
        (good, bad)
    }
}

/// Lists the files of a folder in order, without following links out of it.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut builder = WalkBuilder::new(folder);
    builder.git_global(false).follow_links(false).sort_by_file_path(Path::cmp);
    builder.filter_entry(|entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        entry.depth() == 0 || !is_folder || !entry.file_name().to_str().is_some_and(is_skipped)
    });
    let mut files = Vec::new();
    for entry in builder.build() {
        let entry =
            entry.map_err(|error| SourceError::Unreadable(folder.to_owned(), io::Error::other(error)))?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        let is_known = entry.file_name().to_str().is_some_and(|name| Language::by_name(name).is_some());
        if is_file && is_known {
            files.push(entry.into_path());
        }
        if files.len() > FILES_MAX {
            return Err(SourceError::TooMuch(folder.to_owned()));
        }
    }
    Ok(files)
}

/// `[path:12]`, or `[path:12-15]`.
static CITATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[([^\[\]:\n]+):(\d+)(?:-(\d+))?\]").expect("the pattern is sound"));

/// No context holds more.
const BYTES_MAX: usize = 16 << 20;
const FILES_MAX: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> (tempfile::TempDir, Sources) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.rs"), "fn b() {}\nlet key = \"hunter2\";\n").unwrap();
        fs::write(folder.path().join("a.md"), "# A\n").unwrap();
        fs::write(folder.path().join("x.bin"), [0xff]).unwrap();
        let scrub = |text: &str| text.replace("hunter2", "[secret]");
        let sources = Sources::read(&[folder.path().to_owned()], &scrub).unwrap();
        (folder, sources)
    }

    #[test]
    fn lines_are_numbered_and_secrets_replaced() {
        let (folder, sources) = sources();
        let root = folder.path().display().to_string();
        let expected = format!(
            "## {root}/a.md\n\n    1 | # A\n\n## {root}/b.rs\n\n    1 | fn b() {{}}\n    2 | let key = \"[secret]\";\n\n"
        );
        assert_eq!(sources.text(), expected);
    }

    #[test]
    fn citations_lead_to_lines_that_are_there() {
        let (folder, sources) = sources();
        let root = folder.path().display();
        let text = format!("x [{root}/b.rs:2], y [{root}/b.rs:1-2]; z [{root}/b.rs:3] and [c.rs:1].");
        assert_eq!(sources.citations(&text), (2, vec![format!("[{root}/b.rs:3]"), "[c.rs:1]".to_owned()]));
    }

    #[test]
    fn what_was_named_must_be_text() {
        let (folder, _) = sources();
        let read =
            |name: &str| Sources::read(&[folder.path().join(name)], &str::to_owned).unwrap_err().to_string();
        assert!(read("x.bin").ends_with("x.bin is not UTF-8"));
        assert!(read("none").ends_with("none cannot be read"));
    }
}
