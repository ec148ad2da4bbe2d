//! What a repository is: its languages, what it depends on, how it is kept, and what it sends to whom.

pub mod advice;
pub mod dependencies;
mod egress;
mod facts;
mod language;
mod languages;
mod lines;
mod score;
mod signs;
mod walk;

use std::path::{Path, PathBuf};

use self::advice::Advice;
use self::dependencies::Dependencies;
use self::walk::{Tree, walk};

pub use egress::{Clue, Finding};
pub use language::{Content, Language};
pub use lines::{LineCount, count};
pub use score::{Deduction, Grade, Score};
pub use walk::WalkError;
pub(crate) use walk::is_skipped;

/// What was found in a folder.
#[derive(Debug)]
pub struct Analysis {
    /// The languages, the one with the most lines first.
    pub languages: Vec<LanguageCount>,
    /// What each manager fetches.
    pub dependencies: Vec<Dependencies>,
    /// How the repository is kept.
    pub score: Score,
    /// Lines that ask a model; empty where nobody wanted to know.
    pub egress: Vec<Finding>,
    /// What to do about it.
    pub advice: Vec<&'static Advice>,
    /// What could not be read, and why; paths are relative to the folder.
    pub problems: Vec<(PathBuf, String)>,
}

/// The files of one language.
#[derive(Debug)]
pub struct LanguageCount {
    /// The language.
    pub language: &'static Language,
    /// How many files.
    pub files: u64,
    /// Their lines.
    pub lines: LineCount,
}

/// What takes time and is done only where somebody wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Lines are searched for calls to models.
    WithEgress,
    /// They are only counted.
    CountOnly,
}

/// Analyses a folder. Nothing in it is executed or written, and no link in it is followed.
///
/// # Errors
///
/// When the folder cannot be listed, or has too many files.
pub fn analyze(root: &Path, scan: Scan) -> Result<Analysis, WalkError> {
    let Tree { tally, listings, findings, problems } = walk(root, scan == Scan::WithEgress)?;
    let dependencies = dependencies::join(&listings);
    let unlocked: Vec<&str> =
        dependencies.iter().filter(|found| found.is_unlocked).map(|found| found.manager.name()).collect();
    let score = Score::of(&tally, &unlocked);
    let advice = advice::given(&dependencies, &findings);
    let mut languages: Vec<LanguageCount> = tally
        .languages
        .into_values()
        .map(|(language, files, lines)| LanguageCount { language, files, lines })
        .collect();
    languages.sort_by_key(|found| (std::cmp::Reverse(found.lines.filled()), found.language.name));
    Ok(Analysis { languages, dependencies, score, egress: findings, advice, problems })
}

impl Analysis {
    /// Returns the lines of all languages that are not empty.
    pub fn filled_lines(&self) -> u64 {
        self.languages.iter().map(|found| found.lines.filled()).sum()
    }

    /// Returns the language that most of the program is written in; where there is no program, that of most lines.
    pub fn primary_language(&self) -> Option<&'static Language> {
        let code = self.languages.iter().find(|found| found.language.content == Content::Code);
        code.or(self.languages.first()).map(|found| found.language)
    }
}

#[cfg(test)]
mod tests;
