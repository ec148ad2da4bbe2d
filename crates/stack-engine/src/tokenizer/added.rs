//! Finds the added tokens of a `tokenizer.json`, as the `tokenizers` crate finds them.
//!
//! ```text
//! in the whole text, find the tokens that are not normalized
//! for each piece between them:
//!     normalize it, and find the tokens that are
//!
//! to find: at the leftmost place the longest token, then on from its end
//!     a single word that touches another is passed over, and with it what stands inside it
//!     a token that strips takes the white space beside it along
//! ```
//!
//! One thing is added: tokens that only templates may write are found inside template text only.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::Value;
use tokenizers::tokenizer::{AddedToken, NormalizedString, Normalizer};

use super::TokenizerError;
use super::json::{guarded, token_named};
use super::partition::Fragment;
use super::trie::Trie;
use super::vocabulary::{TokenKind, Vocabulary};

/// What is particular about an added token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own in tokenizer.json")]
pub(super) struct Rules {
    /// Whether it must not touch a word.
    pub(super) single_word: bool,
    /// Whether it swallows the white space before it.
    pub(super) lstrip: bool,
    /// Whether it swallows the white space behind it.
    pub(super) rstrip: bool,
    /// Whether it is found in template text only.
    pub(super) guarded: bool,
}

/// A set of added tokens.
pub(super) struct AddedTokens {
    tokens: Trie,
    rules: HashMap<u32, Rules>,
    /// Whether a token starts with a byte.
    starts: [bool; 256],
}

impl AddedTokens {
    /// Collects the tokens to be found before any stage runs: those that are found as they are, and those that are found in
    /// normalized text.
    pub(super) fn of(
        stages: &tokenizers::Tokenizer,
        vocabulary: &Vocabulary,
        config: &Value,
    ) -> Result<(Self, Self), TokenizerError> {
        // In a fixed order: of tokens that are the same once they are normalized, the one of the lowest id is found.
        let added = stages.get_added_tokens_decoder();
        let mut by_id: Vec<(u32, &AddedToken)> = added.iter().map(|(&id, token)| (id, token)).collect();
        by_id.sort_unstable_by_key(|&(id, _)| Reverse(id));
        let is_guarded = |id| matches!(vocabulary.kind(id), TokenKind::Control | TokenKind::Unknown);
        let rules = |id, token: &AddedToken| Rules {
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            guarded: is_guarded(id),
        };
        let known = |id: u32| (id as usize) < vocabulary.len();
        let mut normalized: Vec<(String, u32, Rules)> = Vec::new();
        for &(id, token) in by_id.iter().filter(|&&(id, token)| token.normalized && known(id)) {
            let mut text = NormalizedString::from(token.content.as_str());
            if let Some(normalizer) = stages.get_normalizer() {
                let problem = |error: tokenizers::Error| TokenizerError::Json {
                    file: "tokenizer.json",
                    problem: format!("the added token {:?} cannot be normalized: {error}", token.content),
                };
                guarded(|| normalizer.normalize(&mut text)).map_err(problem)?;
            }
            normalized.push((text.get().to_owned(), id, rules(id, token)));
        }
        let verbatim = by_id
            .iter()
            .filter(|&&(id, token)| !token.normalized && known(id))
            .map(|&(id, token)| (token.content.as_str(), id, rules(id, token)));
        // Control tokens that the file does not list as added: their texts or the configuration say what they are, and those
        // who load such files with the Python library have them added, too.
        let named =
            |text: &[u8]| ROLES.iter().any(|role| token_named(config, role).map(str::as_bytes) == Some(text));
        let others = vocabulary.iter().filter_map(|(id, text)| {
            let kind = vocabulary.kind(id);
            let meant = kind == TokenKind::Control || kind == TokenKind::Unknown && named(text);
            let rules = Rules { guarded: true, ..Rules::default() };
            (meant && !added.contains_key(&id)).then_some((str::from_utf8(text).ok()?, id, rules))
        });
        let verbatim = Self::new(verbatim.chain(others));
        let normalized = normalized.iter().map(|(text, id, rules)| (text.as_str(), *id, *rules));
        Ok((verbatim, Self::new(normalized)))
    }

    /// Collects tokens: what to look for, the id, the rules.
    pub(super) fn new<'a>(added: impl Iterator<Item = (&'a str, u32, Rules)>) -> Self {
        let mut tokens = Self { tokens: Trie::default(), rules: HashMap::new(), starts: [false; 256] };
        for (text, id, rules) in added {
            let Some(&first) = text.as_bytes().first() else { continue };
            tokens.tokens.insert(text.as_bytes(), id);
            tokens.starts[usize::from(first)] = true;
            tokens.rules.insert(id, rules);
        }
        tokens
    }

    /// Cuts `text` at its added tokens.
    ///
    /// `parsed` are the ranges of the original that a template wrote, in order; `original` says where in it a range of
    /// `text` comes from.
    pub(super) fn cut(
        &self,
        text: &str,
        parsed: &[Range<usize>],
        original: impl Fn(Range<usize>) -> Option<Range<usize>>,
    ) -> Vec<Fragment> {
        let inside = |range: Range<usize>| original(range).is_some_and(|range| is_inside(parsed, &range));
        let bytes = text.as_bytes();
        let mut fragments = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < bytes.len() {
            if !self.starts[usize::from(bytes[at])] {
                at += 1;
                continue;
            }
            let Some((length, id)) = self.longest(&bytes[at..], |length| inside(at..at + length)) else {
                at += 1;
                continue;
            };
            let end = at + length;
            let rules = self.rules[&id];
            let passed_over = rules.guarded && !inside(at..end)
                || rules.single_word && (ends_in_word(&text[..at]) || starts_with_word(&text[end..]));
            if !passed_over {
                let mut token = at..end;
                if rules.lstrip {
                    // The token before may have taken that white space.
                    token.start = text[..at].trim_end().len().max(start);
                }
                if rules.rstrip {
                    token.end = text.len() - text[end..].trim_start().len();
                }
                if start < token.start {
                    fragments.push(Fragment::Text(start..token.start));
                }
                start = token.end;
                token.start = token.start.min(token.end);
                fragments.push(Fragment::Token(id, token));
            }
            at = end;
        }
        if start < bytes.len() {
            fragments.push(Fragment::Text(start..bytes.len()));
        }
        fragments
    }

    /// Returns the longest token that `bytes` start with. Where template text stops inside it, the longest of those that
    /// end before; so a caller who goes on writing cannot undo a token of the template.
    fn longest(&self, bytes: &[u8], inside: impl Fn(usize) -> bool) -> Option<(usize, u32)> {
        let longest = self.tokens.longest(bytes)?;
        if !self.rules[&longest.1].guarded || inside(longest.0) {
            return Some(longest);
        }
        Some(self.tokens.prefixes(bytes).filter(|&(length, _)| inside(length)).last().unwrap_or(longest))
    }
}

/// Whether a range lies inside one of several that are in order.
fn is_inside(parsed: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = parsed.partition_point(|parsed| parsed.end <= range.start);
    parsed.get(next).is_some_and(|parsed| parsed.start <= range.start && range.end <= parsed.end)
}

fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_of_words)
}

fn starts_with_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_of_words)
}

/// Whether words are made of a character: letters, marks, decimal digits, joiners, as regular expressions have it.
fn is_of_words(c: char) -> bool {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w").expect("the expression is one"));
    WORD.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
}

/// Tokens that a configuration names.
const ROLES: [&str; 6] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "mask_token"];

#[cfg(test)]
mod tests {
    #![expect(clippy::single_range_in_vec_init, reason = "a template has one part here")]

    use super::*;

    fn cut<'a>(
        tokens: &[(&str, Rules)],
        text: &'a str,
        parsed: &[Range<usize>],
    ) -> Vec<(&'a str, Option<u32>)> {
        let tokens = AddedTokens::new(tokens.iter().zip(0..).map(|(&(text, rules), id)| (text, id, rules)));
        let fragments = tokens.cut(text, parsed, Some);
        fragments
            .into_iter()
            .map(|fragment| match fragment {
                Fragment::Text(range) => (&text[range], None),
                Fragment::Token(id, range) => (&text[range], Some(id)),
            })
            .collect()
    }

    const PLAIN: Rules = Rules { single_word: false, lstrip: false, rstrip: false, guarded: false };
    const GUARDED: Rules = Rules { guarded: true, ..PLAIN };

    #[test]
    fn the_longest_token_at_the_leftmost_place_is_found() {
        let tokens = [("<a>", PLAIN), ("<a>>", PLAIN), (">b", PLAIN)];
        assert_eq!(cut(&tokens, "x<a>>b", &[]), [("x", None), ("<a>>", Some(1)), ("b", None)]);
        assert_eq!(cut(&tokens, "<a><a>", &[]), [("<a>", Some(0)), ("<a>", Some(0))]);
    }

    #[test]
    fn a_single_word_touches_no_other() {
        let tokens = [("stop", Rules { single_word: true, ..PLAIN })];
        assert_eq!(
            cut(&tokens, "stop, non-stop", &[]),
            [("stop", Some(0)), (", non-", None), ("stop", Some(0))]
        );
        for text in ["stopped", "unstop", "stop_", "stop٣", "stope\u{301}", "éstop"] {
            assert_eq!(cut(&tokens, text, &[]), [(text, None)]);
        }
        assert_eq!(cut(&tokens, "½stop", &[]), [("½", None), ("stop", Some(0))], "a fraction is no word");
    }

    #[test]
    fn all_white_space_of_unicode_is_swallowed() {
        let tokens = [("<m>", Rules { lstrip: true, rstrip: true, ..PLAIN })];
        for space in ["\u{a0}", "\u{3000}", "\u{85}", "\u{b}", "\u{2028}", " \t\r\n"] {
            let text = format!("a{space}<m>{space}b");
            let expected = [("a", None), (&text[1..text.len() - 1], Some(0)), ("b", None)];
            assert_eq!(cut(&tokens, &text, &[]), expected, "{space:?}");
        }
        let between = "<m>  <m>";
        assert_eq!(cut(&tokens, between, &[]), [("<m>  ", Some(0)), ("<m>", Some(0))]);
    }

    #[test]
    fn guarded_tokens_are_found_in_template_text_only() {
        let tokens = [("<s>", GUARDED), ("<s>>", GUARDED), ("<t>", PLAIN)];
        assert_eq!(cut(&tokens, "<s><t>", &[]), [("<s>", None), ("<t>", Some(2))]);
        assert_eq!(cut(&tokens, "<s><t>", &[0..3]), [("<s>", Some(0)), ("<t>", Some(2))]);
        assert_eq!(cut(&tokens, "<s>>", &[0..4]), [("<s>>", Some(1))]);
        assert_eq!(
            cut(&tokens, "<s>>", &[0..3]),
            [("<s>", Some(0)), (">", None)],
            "the last is the caller's"
        );
        assert_eq!(cut(&tokens, "<s>", &[0..2, 2..3]), [("<s>", None)], "put together from two");
    }
}
