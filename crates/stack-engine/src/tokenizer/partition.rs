//! Cuts text at the tokens that are recognised before any algorithm sees it.

use std::ops::Range;

use super::trie::Trie;
use super::vocabulary::{TokenKind, Vocabulary};

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Bytes that are yet to be tokenized; never empty.
    Text(Range<usize>),
    /// A token that stood there literally, and its bytes, white space around it left out.
    Token(u32, Range<usize>),
}

/// White space that belongs to a token although it is not in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) left: bool,
    pub(super) right: bool,
}

/// The tokens recognised literally.
pub(super) struct Partition {
    tokens: Trie,
    /// Whether a token of the vocabulary starts with a byte.
    starts: [bool; 256],
    /// Tokens found in template text only, in order.
    guarded: Vec<u32>,
    /// Tokens that swallow white space, in order.
    strips: Vec<(u32, Strip)>,
}

impl Partition {
    /// Recognises nothing.
    pub(super) fn empty() -> Self {
        Self { tokens: Trie::default(), starts: [false; 256], guarded: Vec::new(), strips: Vec::new() }
    }

    /// Collects control, unknown and user-defined tokens; `strip` says which of them swallow white space.
    pub(super) fn new(vocabulary: &Vocabulary, strip: impl Fn(u32) -> Strip) -> Self {
        let mut partition = Self::empty();
        for (id, text) in vocabulary.iter() {
            let kind = vocabulary.kind(id);
            let literal = matches!(kind, TokenKind::Control | TokenKind::Unknown | TokenKind::UserDefined);
            // A token that is no text cannot stand in a text; a piece of a character must not match inside one.
            if text.is_empty() || !literal || std::str::from_utf8(text).is_err() {
                continue;
            }
            partition.tokens.insert(text, id);
            partition.starts[usize::from(text[0])] = true;
            if kind != TokenKind::UserDefined {
                partition.guarded.push(id);
            }
            if strip(id) != Strip::default() {
                partition.strips.push((id, strip(id)));
            }
        }
        partition
    }

    /// Cuts `text` at recognised tokens, the longest at the leftmost place first.
    ///
    /// Control tokens are recognised only where they lie inside one of the `parsed` ranges, which are in order.
    pub(super) fn cut(&self, text: &str, parsed: &[Range<usize>]) -> Vec<Fragment> {
        let bytes = text.as_bytes();
        let mut fragments = Vec::new();
        let (mut start, mut at, mut range) = (0, 0, 0);
        while at < bytes.len() {
            if !self.starts[usize::from(bytes[at])] {
                at += 1;
                continue;
            }
            while parsed.get(range).is_some_and(|range| range.end <= at) {
                range += 1;
            }
            let parsed_until =
                parsed.get(range).filter(|range| range.start <= at).map_or(at, |range| range.end);
            let allowed = |&(length, id): &(usize, u32)| {
                at + length <= parsed_until || self.guarded.binary_search(&id).is_err()
            };
            let Some((length, id)) = self.tokens.prefixes(&bytes[at..]).filter(allowed).last() else {
                at += 1;
                continue;
            };
            let strip = self.strip(id);
            let before = &text[start..at];
            let kept = if strip.left { before.trim_end_matches(is_space).len() } else { before.len() };
            if kept > 0 {
                fragments.push(Fragment::Text(start..start + kept));
            }
            fragments.push(Fragment::Token(id, at..at + length));
            at += length;
            if strip.right {
                at += text[at..].len() - text[at..].trim_start_matches(is_space).len();
            }
            start = at;
        }
        if start < bytes.len() {
            fragments.push(Fragment::Text(start..bytes.len()));
        }
        fragments
    }

    fn strip(&self, id: u32) -> Strip {
        let found = self.strips.binary_search_by_key(&id, |&(id, _)| id);
        found.map_or(Strip::default(), |index| self.strips[index].1)
    }
}

/// White space as C's `isspace` has it, which the reference implementation of these vocabularies goes by.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::vocabulary::Roles;

    fn partition(strip: Strip) -> Partition {
        let tokens = [
            ("<s>", TokenKind::Control),
            ("<s>>", TokenKind::Control),
            ("<think>", TokenKind::UserDefined),
            ("text", TokenKind::Normal),
        ];
        let texts = tokens.iter().map(|(text, _)| text.as_bytes());
        let kinds = tokens.iter().map(|&(_, kind)| kind).collect();
        let vocabulary = Vocabulary::new(texts, kinds, Roles::default(), Spelling::Marked).unwrap();
        Partition::new(&vocabulary, |id| if id == 0 { strip } else { Strip::default() })
    }

    /// Cuts a text and shows each fragment as its text, tokens with their ids.
    fn cut<'t>(strip: Strip, text: &'t str, parsed: &[(usize, usize)]) -> Vec<(&'t str, Option<u32>)> {
        let parsed: Vec<_> = parsed.iter().map(|&(start, end)| start..end).collect();
        let show = |fragment| match fragment {
            Fragment::Text(range) => (&text[range], None),
            Fragment::Token(id, range) => (&text[range], Some(id)),
        };
        partition(strip).cut(text, &parsed).into_iter().map(show).collect()
    }

    const NONE: Strip = Strip { left: false, right: false };
    const BOTH: Strip = Strip { left: true, right: true };

    #[test]
    fn template_text_yields_control_tokens_and_the_longest_wins() {
        let text = "a<s>><s><think>b";
        let expected = [("a", None), ("<s>>", Some(1)), ("<s>", Some(0)), ("<think>", Some(2)), ("b", None)];
        assert_eq!(cut(NONE, text, &[(0, text.len())]), expected);
    }

    #[test]
    fn caller_text_yields_user_defined_tokens_only() {
        assert_eq!(cut(NONE, "<s><think>", &[]), [("<s>", None), ("<think>", Some(2))]);
    }

    #[test]
    fn a_control_token_may_not_reach_into_caller_text() {
        // Whoever writes the last character must not complete what the template began.
        assert_eq!(cut(NONE, "<s><s>", &[(0, 2), (3, 6)]), [("<s>", None), ("<s>", Some(0))]);
        assert_eq!(cut(NONE, "<s><s>", &[(0, 3), (4, 6)]), [("<s>", Some(0)), ("<s>", None)]);
        // Nor may two parts of the template, between which caller text may have vanished.
        assert_eq!(cut(NONE, "<s>", &[(0, 1), (1, 3)]), [("<s>", None)]);
        // The longer token would reach over the border, the shorter does not.
        assert_eq!(cut(NONE, "<s>>", &[(0, 3)]), [("<s>", Some(0)), (">", None)]);
    }

    #[test]
    fn some_tokens_swallow_white_space() {
        assert_eq!(cut(BOTH, "a \n<s>\t b", &[(0, 9)]), [("a", None), ("<s>", Some(0)), ("b", None)]);
        assert_eq!(cut(BOTH, " <s> ", &[(0, 5)]), [("<s>", Some(0))]);
    }

    #[test]
    fn text_without_tokens_is_one_fragment() {
        assert_eq!(cut(NONE, "<text", &[(0, 5)]), [("<text", None)]);
        assert_eq!(cut(NONE, "", &[]), []);
    }
}
