//! Which lines of a program send something to a model, and how far it goes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::{memchr_iter, memrchr};
use stack_chat::Tier;

use super::language::{Content, Language};
use super::signs::{SIGNS, Sign};

/// A line that sends something, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What gave it away, such as `api.openai.com`.
    pub what: &'static str,
    /// What that is.
    pub clue: Clue,
    /// Whose interface it is.
    pub provider: &'static str,
    /// The strictest tier that allows it.
    pub tier: Tier,
}

/// What gives a call away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    /// The name of a host.
    Host,
    /// The import of a client library.
    Import,
    /// The name under which a key is kept.
    Key,
}

impl Clue {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Import => "import",
            Self::Key => "key",
        }
    }
}

/// Adds what a file sends to `findings`. Text for people and lines of comments send nothing.
pub(crate) fn scan(path: &Path, language: &Language, bytes: &[u8], findings: &mut Vec<Finding>) {
    if language.content == Content::Prose {
        return;
    }
    let mut lines = Lines { bytes, counted: 0, number: 1 };
    for found in AUTOMATON.find_overlapping_iter(bytes) {
        let sign = &SIGNS[found.pattern().as_usize()];
        if !stands_alone(bytes, found.range(), sign.clue) {
            continue;
        }
        let (line, text) = lines.at(found.start());
        let trimmed = text.trim_ascii_start();
        let is_comment = language.syntax.line.iter().any(|begin| trimmed.starts_with(begin.as_bytes()));
        if is_comment || sign.clue == Clue::Import && !imports(trimmed) {
            continue;
        }
        let Sign { text: what, clue, provider, tier } = *sign;
        let mut of_this_line =
            findings.iter().rev().take_while(|last| last.line == line && last.path == path);
        if of_this_line.all(|last| last.what != what) {
            findings.push(Finding { path: path.to_owned(), line, what, clue, provider, tier });
        }
    }
}

/// Whether what was found is no part of a longer word: `openai` in `myopenai.local` is none.
fn stands_alone(bytes: &[u8], range: Range<usize>, clue: Clue) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    let after = bytes.get(range.end);
    let continues = |byte: &u8| is_word(byte) || *byte == b'-' && clue != Clue::Key;
    // `api.openai.com.example` is another host, and `@langchain/openai` another package.
    let is_longer = match clue {
        Clue::Host => after == Some(&b'.') && bytes.get(range.end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Clue::Import => before.is_some_and(|byte| matches!(byte, b'/' | b'@' | b'.')),
        Clue::Key => false,
    };
    !before.is_some_and(continues) && !after.is_some_and(continues) && !is_longer
}

/// Whether a line brings in a library.
fn imports(line: &[u8]) -> bool {
    let words = ["import ", "from ", "use ", "extern crate ", "require ", "require(", "using ", "pub use "];
    let begins = |word: &&str| line.starts_with(word.as_bytes());
    let contains = |word: &[u8]| memchr::memmem::find(line, word).is_some();
    // In Go, each import may have a line of its own, which is a text and nothing else.
    words.iter().any(begins)
        || contains(b"require(")
        || contains(b" from ")
        || contains(b"import(")
        || line.starts_with(b"\"") && line.trim_ascii_end().ends_with(b"\"")
}

/// Numbers lines by counting on from the last one that was asked for.
struct Lines<'a> {
    bytes: &'a [u8],
    counted: usize,
    number: u64,
}

impl<'a> Lines<'a> {
    /// Returns the number and the text of the line at a place, which may not lie before the last one's line.
    fn at(&mut self, place: usize) -> (u64, &'a [u8]) {
        if place > self.counted {
            self.number += memchr_iter(b'\n', &self.bytes[self.counted..place]).count() as u64;
            self.counted = place;
        }
        let start = memrchr(b'\n', &self.bytes[..place]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &self.bytes[place..]).map_or(self.bytes.len(), |at| place + at);
        (self.number, &self.bytes[start..end])
    }
}

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::new(SIGNS.iter().map(|sign| sign.text)).expect("the table of signs is small")
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists line, clue, what was found, and the tier.
    fn found(file: &str, text: &str) -> Vec<(u64, &'static str, &'static str, Tier)> {
        let mut findings = Vec::new();
        scan(Path::new(file), Language::by_name(file).unwrap(), text.as_bytes(), &mut findings);
        findings.iter().map(|found| (found.line, found.clue.name(), found.what, found.tier)).collect()
    }

    #[test]
    fn hosts_imports_and_keys_are_found_with_their_lines() {
        let text = "import os\nfrom openai import OpenAI\n\nkey = os.environ[\"OPENAI_API_KEY\"]\nurl = \"https://api.openai.com/v1\"\n";
        let expected = [
            (2, "import", "openai", Tier::Standard),
            (4, "key", "OPENAI_API_KEY", Tier::Standard),
            (5, "host", "api.openai.com", Tier::Standard),
        ];
        assert_eq!(found("a.py", text), expected);
    }

    #[test]
    fn imports_of_many_languages_are_found() {
        for (file, text) in [
            ("a.py", "import anthropic"),
            ("a.js", "const OpenAI = require(\"openai\");"),
            ("a.ts", "import Anthropic from '@anthropic-ai/sdk';"),
            ("a.rs", "use async_openai::Client;"),
            ("a.go", "\t\"github.com/sashabaranov/go-openai\""),
        ] {
            assert_eq!(found(file, text).first().map(|found| found.1), Some("import"), "{text}");
        }
    }

    #[test]
    fn what_stays_here_needs_no_more_than_sovereign() {
        assert_eq!(found("a.py", "x = 'http://localhost:11434/api'")[0].3, Tier::Sovereign);
    }

    #[test]
    fn comments_prose_and_longer_names_are_no_calls() {
        for (file, text) in [
            ("a.py", "# import openai"),
            ("a.md", "Set OPENAI_API_KEY."),
            ("a.py", "x = 'https://my-api.openai.com.example/'"),
            ("a.py", "MY_OPENAI_API_KEY_FILE = 1"),
            ("a.py", "openai = 1"),
            ("a.py", "import myopenai"),
        ] {
            assert_eq!(found(file, text), [], "{text}");
        }
    }
}
