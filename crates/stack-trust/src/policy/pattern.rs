//! Patterns of names.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// A pattern of model names: `*` stands for any text without `/`, `**` for any text.
///
/// A pattern without a tag matches names with any tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// The error for a text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

impl Pattern {
    /// Whether the pattern covers a name.
    pub fn matches(&self, name: &str) -> bool {
        self.covers(name) || without_tag(name).is_some_and(|repository| self.covers(repository))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Matches the whole text: `reached[i]` tells whether the pattern so far can end after `i` bytes of it.
    ///
    /// This takes pattern × text steps, whatever they are; backtracking would take exponentially many.
    fn covers(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        let mut pattern = self.0.as_bytes();
        while let Some((&byte, rest)) = pattern.split_first() {
            pattern = rest;
            if byte == b'*' {
                let crosses = pattern.first() == Some(&b'*');
                if crosses {
                    pattern = &pattern[1..];
                }
                for at in 0..text.len() {
                    reached[at + 1] |= reached[at] && (crosses || text[at] != b'/');
                }
            } else {
                for at in (0..text.len()).rev() {
                    reached[at + 1] = reached[at] && text[at] == byte;
                }
                reached[0] = false;
            }
        }
        reached[text.len()]
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let plain = |character: char| !character.is_control() && !character.is_whitespace();
        if text.is_empty() || text.len() > LEN_MAX || text.contains("***") || !text.chars().all(plain) {
            return Err(BadPattern);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pattern is a name of at most 512 bytes without spaces, in which * and ** may stand")
    }
}

impl Error for BadPattern {}

/// Cuts the tag off a name; paths have none.
fn without_tag(name: &str) -> Option<&str> {
    if name.starts_with("file:") {
        return None;
    }
    let (repository, tag) = name.rsplit_once(':')?;
    // A colon before a slash belongs to the port of a host.
    (!tag.contains('/')).then_some(repository)
}

const LEN_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stop_at_slashes_and_double_stars_do_not() {
        for (pattern, name, expected) in [
            ("registry.lan/med/**", "registry.lan/med/qwen3-4b:q4_k_m", true),
            ("registry.lan/med/**", "registry.lan/medical/x", false),
            ("registry.lan/*/x", "registry.lan/med/x", true),
            ("registry.lan/*/x", "registry.lan/a/b/x", false),
            ("registry.lan/**/x", "registry.lan/a/b/x", true),
            ("*", "stories", true),
            ("*", "owner/stories", false),
            ("**", "owner/stories", true),
            ("qwen*", "qwen3-4b:latest", true),
            ("qwen3", "qwen3:latest", true),
            ("qwen3:latest", "qwen3:latest", true),
            ("qwen3:latest", "qwen3:other", false),
            ("qwen3", "qwen3-4b", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("host:5000/*", "host:5000/m:t", true),
            ("host", "host:5000/m", false),
            ("file:///models/**", "file:///models/a/b.gguf", true),
            ("file", "file:///x", false),
            ("Ü*", "Ünï", true),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn hostile_patterns_do_not_take_forever() {
        let pattern: Pattern = "*a".repeat(250).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(4000).replace("aaaa", "aaab")));
        assert!(pattern.matches(&"a".repeat(4000)));
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in ["", "a b", "a\n", "a***b", &"a".repeat(513)] {
            assert_eq!(text.parse::<Pattern>(), Err(BadPattern), "{text}");
        }
    }
}
