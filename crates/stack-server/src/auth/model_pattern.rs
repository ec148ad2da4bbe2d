//! Which models a key is for.

use std::fmt;
use std::str::FromStr;

/// The name of a model, in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPattern(String);

/// The error for a text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadModelPattern;

impl ModelPattern {
    /// Whether it covers a name. A name without a tag means the tag `latest`.
    pub fn covers(&self, name: &str) -> bool {
        covers(untagged(&self.0).as_bytes(), untagged(name).as_bytes())
    }

    /// Returns it as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn untagged(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

/// Lets each `*` take as little as will do, and more only where what follows does not match otherwise: of two stars the
/// first never has to take more once the second was reached, so this takes pattern × name steps at most.
fn covers(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of_name) = (0, 0);
    let mut star = None;
    while of_name < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, of_name));
            at += 1;
        } else if pattern.get(at) == Some(&name[of_name]) {
            at += 1;
            of_name += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            at = place + 1;
            of_name = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

impl FromStr for ModelPattern {
    type Err = BadModelPattern;

    fn from_str(text: &str) -> Result<Self, BadModelPattern> {
        let is_plain = |character: char| !character.is_control() && !character.is_whitespace();
        if text.is_empty() || text.len() > BYTES_MAX || !text.chars().all(is_plain) {
            return Err(BadModelPattern);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the name of a model, in which `*` stands for any text, such as qwen3 or llama*")
    }
}

impl std::error::Error for BadModelPattern {}

const BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<ModelPattern>().unwrap().covers(name)
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("*", "anything/at:all"),
            ("llama*", "llama3.1:8b"),
            ("*-q4", "a-q4-q4"),
            ("a*b*c", "axxbyybzc"),
            ("qwen3", "qwen3:latest"),
            ("qwen3:latest", "qwen3"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("llama", "llama3"), ("a*b", "ab2"), ("*x", "y"), ("qwen3", "qwen3:8b"), ("A", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        for wrong in ["", "a b", "a\n", &"x".repeat(201)] {
            assert!(wrong.parse::<ModelPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_its_length_allows() {
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)));
        assert!(!matches(&format!("{}b", "*a".repeat(99)), &"a".repeat(20_000)));
    }

    /// Tries everything.
    fn slowly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|taken| slowly(rest, &name[taken..])),
            Some((byte, rest)) => name.first() == Some(byte) && slowly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_covers_what_trying_everything_finds(pattern in "[ab*]{0,7}", name in "[ab]{0,7}") {
            prop_assert_eq!(
                covers(pattern.as_bytes(), name.as_bytes()),
                slowly(pattern.as_bytes(), name.as_bytes())
            );
        }
    }
}
