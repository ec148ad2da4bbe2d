//! Patterns for the names of models: text, and `*` for any text.

use super::fault::Rule;

/// A pattern for the names of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(String);

impl Glob {
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        let is_sound = (1..=GLOB_BYTES_MAX).contains(&text.len())
            && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
            && text.matches('*').count() <= STARS_MAX;
        if is_sound { Ok(Self(text.to_owned())) } else { Err(Rule::BadGlob) }
    }

    /// Tells whether it matches all of a name. The first fitting place of each piece is the right one: whatever comes
    /// after a `*` may be any text.
    pub(super) fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some(place) = rest.find(piece) else { return false };
            rest = &rest[place + piece.len()..];
        }
        rest.ends_with(last)
    }
}

const GLOB_BYTES_MAX: usize = 128;
const STARS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (glob, matching, others) in [
            ("m-1", &["m-1"][..], &["m-1x", "xm-1", ""][..]),
            ("*", &["", "x"], &[]),
            ("claude-*", &["claude-", "claude-4"], &["xclaude-4", "claude"]),
            ("*-mini", &["a-mini", "-mini-mini"], &["a-mini-x"]),
            ("a*b*c", &["abc", "a-b-b-c"], &["ac", "acb", "ab"]),
            ("ab*ba", &["abba"], &["aba"]),
        ] {
            let glob = Glob::parse(glob).unwrap();
            assert!(matching.iter().all(|name| glob.matches(name)), "{glob:?}");
            assert!(!others.iter().any(|name| glob.matches(name)), "{glob:?}");
        }
        for wrong in ["", "a b", "\n", "*********", &"x".repeat(129)] {
            assert_eq!(Glob::parse(wrong), Err(Rule::BadGlob), "{wrong:?}");
        }
    }
}
