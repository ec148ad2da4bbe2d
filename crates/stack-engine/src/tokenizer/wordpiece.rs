//! `WordPiece`, as BERT and its relatives mean it.
//!
//! Text is normalized, cut into words at white space and around punctuation and ideographs, and each word is covered
//! from the left by the longest tokens. In GGUF a token that starts a word starts with a mark; there is no `##`.

use std::sync::LazyLock;

use fancy_regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::spelling::SPACE_MARK;
use super::trie::Trie;
use super::vocabulary::Vocabulary;

/// What the algorithm needs.
pub(super) struct WordPiece {
    tokens: Trie,
    lowercase: bool,
    strip_accents: bool,
}

impl WordPiece {
    /// Prepares for a vocabulary.
    pub(super) fn new(vocabulary: &Vocabulary, lowercase: bool, strip_accents: bool) -> Self {
        let mut tokens = Trie::default();
        for (id, text) in vocabulary.iter().filter(|&(id, _)| vocabulary.is_ordinary(id)) {
            tokens.insert(text, id);
        }
        Self { tokens, lowercase, strip_accents }
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, tokens: &mut Vec<u32>) {
        let mut word = String::new();
        let mut finish = |word: &mut String| {
            if !word.is_empty() {
                self.encode_word(vocabulary, word, tokens);
                word.clear();
            }
        };
        for c in self.normalized(text) {
            match Class::of(c) {
                Class::Space => finish(&mut word),
                Class::Alone => {
                    finish(&mut word);
                    word.push(c);
                    finish(&mut word);
                }
                Class::Nothing => {}
                Class::Accent if self.strip_accents => {}
                Class::Accent | Class::Letter if self.lowercase => word.extend(c.to_lowercase()),
                Class::Accent | Class::Letter => word.push(c),
            }
        }
        finish(&mut word);
    }

    /// Appends the tokens of a word, or the unknown token if tokens cannot cover all of it.
    fn encode_word(&self, vocabulary: &Vocabulary, word: &str, tokens: &mut Vec<u32>) {
        let before = tokens.len();
        let marked = [SPACE_MARK, word].concat();
        let mut rest = marked.as_bytes();
        while !rest.is_empty() {
            let Some((length, token)) = self.tokens.longest(rest) else {
                tokens.truncate(before);
                tokens.extend(vocabulary.roles.unknown);
                return;
            };
            tokens.push(token);
            rest = &rest[length..];
        }
    }

    fn normalized<'t>(&self, text: &'t str) -> Box<dyn Iterator<Item = char> + 't> {
        if self.strip_accents { Box::new(text.nfd()) } else { Box::new(text.chars()) }
    }
}

/// What a character is to the splitting.
enum Class {
    Space,
    /// A word of its own.
    Alone,
    /// Left out.
    Nothing,
    Accent,
    Letter,
}

impl Class {
    fn of(c: char) -> Self {
        if c.is_ascii_alphanumeric() {
            return Self::Letter;
        }
        if c.is_ascii_punctuation() || is_ideograph(c) {
            return Self::Alone;
        }
        if c.is_whitespace() {
            return Self::Space;
        }
        let is = |class: &Regex| class.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false);
        if c == char::REPLACEMENT_CHARACTER || is(&OTHER) {
            Self::Nothing
        } else if is(&ACCENT) {
            Self::Accent
        } else if is(&PUNCTUATION) {
            Self::Alone
        } else {
            Self::Letter
        }
    }
}

static OTHER: LazyLock<Regex> = LazyLock::new(|| category(r"\p{C}"));
static ACCENT: LazyLock<Regex> = LazyLock::new(|| category(r"\p{Mn}"));
static PUNCTUATION: LazyLock<Regex> = LazyLock::new(|| category(r"\p{P}"));

fn category(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of one Unicode category is valid")
}

/// Whether a character is one of the ideographs that BERT makes words of. The ranges are those of its own tokenizer.
fn is_ideograph(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4e00..=0x9fff
            | 0x3400..=0x4dbf
            | 0x20000..=0x2a6df
            | 0x2a700..=0x2b73f
            | 0x2b740..=0x2b81f
            | 0x2b920..=0x2ceaf
            | 0xf900..=0xfaff
            | 0x2f800..=0x2fa1f
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::vocabulary::{Roles, TokenKind};

    fn tokens(text: &str, normalize: bool) -> Vec<u32> {
        let texts = ["[UNK]", "▁walk", "ing", "▁cafe", "▁,", "▁你", "▁Walk", "▁café", "s", "▁", "x"];
        let mut kinds = vec![TokenKind::Normal; texts.len()];
        kinds[0] = TokenKind::Unknown;
        let roles = Roles { unknown: Some(0), ..Roles::default() };
        let texts = texts.iter().map(|text| text.as_bytes());
        let vocabulary = Vocabulary::new(texts, kinds, roles, Spelling::Marked).unwrap();
        let mut tokens = Vec::new();
        WordPiece::new(&vocabulary, normalize, normalize).encode(&vocabulary, text, &mut tokens);
        tokens
    }

    #[test]
    fn words_are_covered_by_the_longest_tokens() {
        assert_eq!(tokens("walking  walks", true), [1, 2, 1, 8]);
        assert_eq!(tokens("walked walk", true), [0, 1], "a word is covered wholly or not at all");
        assert!(tokens("", true).is_empty());
        assert!(tokens(" \t\n", true).is_empty());
    }

    #[test]
    fn punctuation_and_ideographs_stand_alone() {
        assert_eq!(tokens("walk,walk", true), [1, 4, 1]);
        assert_eq!(tokens("你walk你", true), [5, 1, 5]);
    }

    #[test]
    fn case_and_accents_go_when_the_vocabulary_says_so() {
        assert_eq!(tokens("Walk CAFÉ", true), [1, 3]);
        assert_eq!(tokens("Walk café", false), [6, 7]);
    }

    #[test]
    fn control_characters_are_left_out() {
        assert_eq!(tokens("wa\u{0}lk\u{200d}ing\u{fffd}", true), [1, 2]);
    }

    #[test]
    fn callers_cannot_write_the_unknown_token() {
        assert_eq!(tokens("[UNK]", true), [0, 0, 0], "three words that are no tokens");
    }
}
