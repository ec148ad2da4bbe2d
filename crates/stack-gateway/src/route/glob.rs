//! Patterns of names.

use std::fmt;

/// A pattern of names, in which `*` stands for any characters, and for none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// Parses a pattern: printable text without white space, with a few stars at most.
    ///
    /// # Errors
    ///
    /// Says what no pattern of a name is.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > BYTES_MAX {
            return Err("a name has 1 to 256 bytes");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("a name has no white space");
        }
        if text.matches('*').count() > STARS_MAX {
            return Err("a pattern has 4 stars at most");
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one name, and no pattern of many.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a name fits. The pieces between the stars are found from the left, each as early as possible, which finds a
    /// way whenever there is one.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some((_, behind)) = rest.split_once(piece) else { return false };
            rest = behind;
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const BYTES_MAX: usize = 256;
const STARS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a name fits, tried out character by character.
    fn naively(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|at| naively(rest, &name[at..])),
            [first, rest @ ..] => name.first() == Some(first) && naively(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_everything(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let Ok(glob) = Glob::parse(&pattern) else { return Ok(()) };
            prop_assert_eq!(glob.matches(&name), naively(pattern.as_bytes(), name.as_bytes()));
        }
    }

    #[test]
    fn names_fit_as_a_whole() {
        for (pattern, name, fits) in [
            ("gpt-4", "gpt-4", true),
            ("gpt-4", "gpt-4o", false),
            ("claude-*", "claude-3", true),
            ("claude-*", "my-claude-3", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
        for wrong in ["", "a b", "*****", &"x".repeat(257)] {
            assert!(Glob::parse(wrong).is_err(), "{wrong}");
        }
    }
}
