//! `SentencePiece`'s unigram model, as T5 vocabularies mean it: of all ways to cover a text by tokens, the one with the
//! highest sum of scores.
//!
//! ```text
//! for each character, from the left:
//!     for each token that starts here:
//!         if the best way to here plus its score beats the best way known to its end: that is the new best way
//!     if no token is exactly this character: the unknown token may stand for it, at a penalty
//! walk back from the end; neighbouring unknown tokens become one
//! ```

use super::charsmap::CharsMap;
use super::spelling::SPACE_MARK;
use super::trie::Trie;
use super::vocabulary::{TokenKind, Vocabulary};

/// What the algorithm needs beside the vocabulary.
pub(super) struct Unigram {
    tokens: Trie,
    user_defined: Trie,
    scores: Vec<f64>,
    unknown_score: f64,
    map: CharsMap,
    options: Options,
}

/// What normalization does with spaces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Text gets a space in front.
    pub(super) add_space: bool,
    /// Runs of spaces become one, and those at the ends none.
    pub(super) merge_spaces: bool,
}

/// The best way to cover the text up to some place.
#[derive(Clone, Copy)]
struct Way {
    score: f64,
    /// The last token, `None` if unknown.
    token: Option<u32>,
    /// Where that token starts.
    start: usize,
}

impl Unigram {
    /// Prepares for a vocabulary with one score for each token.
    pub(super) fn new(vocabulary: &Vocabulary, scores: &[f32], map: CharsMap, options: Options) -> Self {
        let (mut tokens, mut user_defined) = (Trie::default(), Trie::default());
        let mut lowest = f32::INFINITY;
        let mut scores = scores.to_vec();
        for (id, text) in vocabulary.iter().filter(|&(id, _)| vocabulary.is_ordinary(id)) {
            tokens.insert(text, id);
            let score = &mut scores[id as usize];
            match vocabulary.kind(id) {
                TokenKind::UserDefined => {
                    user_defined.insert(text, id);
                    *score = 0.0;
                }
                TokenKind::Normal => lowest = lowest.min(*score),
                _ => {}
            }
        }
        let unknown_score = if lowest.is_finite() { lowest } else { 0.0 } - UNKNOWN_PENALTY;
        // Sums are taken in double precision: so are `SentencePiece`'s, and close ways must be told apart as there.
        let scores = scores.into_iter().map(f64::from).collect();
        Self { tokens, user_defined, scores, unknown_score: f64::from(unknown_score), map, options }
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, tokens: &mut Vec<u32>) {
        let text = self.normalized(text);
        let ways = self.ways(&text);
        let before = tokens.len();
        let mut at = text.len();
        let mut after_unknown = false;
        while at > 0 {
            let way = ways[at];
            match way.token {
                Some(token) => tokens.push(token),
                None if !after_unknown => tokens.extend(vocabulary.roles.unknown),
                None => {}
            }
            after_unknown = way.token.is_none();
            at = way.start;
        }
        tokens[before..].reverse();
    }

    /// Returns the best way to every place in the text; only those at the ends of characters mean something.
    fn ways(&self, text: &[u8]) -> Vec<Way> {
        let mut ways = vec![Way { score: f64::NEG_INFINITY, token: None, start: 0 }; text.len() + 1];
        ways[0].score = 0.0;
        let mut start = 0;
        while start < text.len() {
            let here = ways[start].score;
            let length = character_length(&text[start..]);
            let mut whole_character = false;
            for (token_length, token) in self.tokens.prefixes(&text[start..]) {
                whole_character |= token_length == length;
                let way = Way { score: here + self.scores[token as usize], token: Some(token), start };
                way.improve(&mut ways[start + token_length]);
            }
            if !whole_character {
                let way = Way { score: here + self.unknown_score, token: None, start };
                way.improve(&mut ways[start + length]);
            }
            start += length;
        }
        ways
    }

    /// Replaces characters as the map says and marks spaces.
    fn normalized(&self, text: &str) -> Vec<u8> {
        let mut normalized = Vec::with_capacity(text.len() * 2);
        let mut rest = text;
        let mut in_word = false;
        let mut started = false;
        while !rest.is_empty() {
            let bytes = rest.as_bytes();
            let (length, replacement) = match self.user_defined.longest(bytes) {
                Some((length, _)) => (length, &bytes[..length]),
                None => self.map.replacement(bytes).unwrap_or_else(|| {
                    let length = character_length(bytes);
                    (length, &bytes[..length])
                }),
            };
            for &byte in replacement {
                if byte == b' ' {
                    in_word = false;
                    if !self.options.merge_spaces {
                        normalized.extend_from_slice(SPACE_MARK.as_bytes());
                    }
                    continue;
                }
                if !in_word {
                    in_word = true;
                    if (self.options.add_space && !started) || self.options.merge_spaces {
                        normalized.extend_from_slice(SPACE_MARK.as_bytes());
                        started = true;
                    }
                }
                normalized.push(byte);
            }
            // A match of the map or of a token may end inside a character only if the file is damaged.
            rest = &rest[rest.ceil_char_boundary(length)..];
        }
        normalized
    }
}

impl Way {
    fn improve(self, known: &mut Self) {
        if self.score > known.score || known.score == f64::NEG_INFINITY {
            *known = self;
        }
    }
}

/// Returns the length of the first character; of broken UTF-8, at most what is there.
fn character_length(text: &[u8]) -> usize {
    let length = match text.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..) => 4,
        _ => 1,
    };
    length.min(text.len())
}

/// How much worse than the worst token an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::charsmap::tests::sample;
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::vocabulary::Roles;

    fn tokens(text: &str, merge_spaces: bool) -> Vec<u32> {
        let tokens = [
            ("<unk>", 0.0),
            ("▁", -3.0),
            ("a", -4.0),
            ("b", -4.0),
            ("ab", -5.0),
            ("▁ab", -6.0),
            ("bb", -20.0),
            ("<x>", -1.0),
        ];
        let mut kinds = vec![TokenKind::Normal; tokens.len()];
        kinds[0] = TokenKind::Unknown;
        kinds[7] = TokenKind::UserDefined;
        let roles = Roles { unknown: Some(0), ..Roles::default() };
        let texts = tokens.iter().map(|token| token.0.as_bytes());
        let vocabulary = Vocabulary::new(texts, kinds, roles, Spelling::Marked).unwrap();
        let scores: Vec<f32> = tokens.iter().map(|token| token.1).collect();
        let options = Options { add_space: true, merge_spaces };
        let unigram = Unigram::new(&vocabulary, &scores, CharsMap::new(&sample()).unwrap(), options);
        let mut tokens = Vec::new();
        unigram.encode(&vocabulary, text, &mut tokens);
        tokens
    }

    #[test]
    fn the_best_sum_of_scores_wins() {
        assert_eq!(tokens("ab", true), [5]);
        assert_eq!(tokens("aab", true), [1, 2, 4]);
        assert_eq!(tokens("bb", true), [1, 3, 3]);
    }

    #[test]
    fn unknown_characters_become_one_token() {
        assert_eq!(tokens("éèb", true), [1, 0, 3]);
    }

    #[test]
    fn spaces_are_merged_when_the_vocabulary_says_so() {
        assert_eq!(tokens("  ab   ab ", true), [5, 5]);
        assert_eq!(tokens("ab  ab", false), [5, 1, 5]);
        assert!(tokens("", true).is_empty());
        assert!(tokens("  ", true).is_empty());
    }

    #[test]
    fn the_map_replaces_and_user_defined_tokens_are_kept() {
        assert_eq!(tokens("aA", true), [5]);
        assert_eq!(tokens("a<x>AA", true), [1, 2, 7]);
    }
}
