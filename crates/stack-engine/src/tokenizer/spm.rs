//! `SentencePiece`'s BPE, as Llama 2, Mistral and Gemma vocabularies mean it.
//!
//! Spaces become marks and characters symbols; of all adjacent pairs whose text is a token, the one with the highest
//! score merges first, of equals the leftmost. What is no token in the end is written as bytes.

use super::merge::{Merger, NO_ID, blocks};
use super::repeats::Repeats;
use super::spelling::{SPACE_MARK, mark};
use super::vocabulary::Vocabulary;

/// What the algorithm needs beside the vocabulary.
pub(super) struct Spm {
    /// For each token, a number that is lower the higher its score.
    priorities: Vec<u32>,
    /// The token of each byte.
    bytes: Vec<Option<u32>>,
    /// Whether text after a control token, or with nothing before it, gets a space in front.
    add_space: bool,
    longest: usize,
    /// Whether no token reaches from one word into the next, so that words can be taken one by one.
    words_apart: bool,
}

impl Spm {
    /// Prepares for a vocabulary with one score for each token.
    pub(super) fn new(vocabulary: &Vocabulary, scores: &[f32], add_space: bool) -> Self {
        let mut bytes = vocabulary.byte_tokens();
        for byte in 0..=0x7f_u8 {
            let token = &mut bytes[usize::from(byte)];
            *token = token.or_else(|| vocabulary.find_ordinary(&[byte]));
        }
        Self {
            priorities: scores.iter().map(|&score| priority(score)).collect(),
            bytes,
            add_space,
            longest: vocabulary.iter().map(|(_, text)| text.len()).max().unwrap_or(0),
            words_apart: vocabulary
                .iter()
                .filter(|&(id, _)| vocabulary.is_ordinary(id))
                .all(|(_, text)| words(&String::from_utf8_lossy(text)).nth(1).is_none()),
        }
    }

    /// Appends the tokens of a text; `first` says that a control token or nothing precedes it.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, first: bool, tokens: &mut Vec<u32>) {
        let space = if self.add_space && first { " " } else { "" };
        let text = mark(&format!("{space}{text}"));
        let mut merger = Merger::default();
        let mut repeats = Repeats::default();
        let mut encode = |piece| {
            repeats.append(piece, tokens, |tokens| {
                for block in blocks(piece) {
                    self.encode_block(vocabulary, block, &mut merger, tokens);
                }
            });
        };
        if self.words_apart {
            words(&text).for_each(encode);
        } else {
            encode(&text);
        }
    }

    fn encode_block(&self, vocabulary: &Vocabulary, text: &str, merger: &mut Merger, tokens: &mut Vec<u32>) {
        merger.clear();
        let mut buffer = [0; 4];
        for c in text.chars() {
            let character = c.encode_utf8(&mut buffer).as_bytes();
            merger.push(character.len(), vocabulary.find_ordinary(character).unwrap_or(NO_ID));
        }
        let bytes = text.as_bytes();
        merger.run(|left, right| {
            let joined = &bytes[left.start as usize..right.end as usize];
            if joined.len() > self.longest {
                return None;
            }
            let id = vocabulary.find_ordinary(joined)?;
            Some((self.priorities[id as usize], id))
        });
        for symbol in merger.symbols() {
            if symbol.id == NO_ID {
                let symbol = &bytes[symbol.start as usize..symbol.end as usize];
                push_bytes(symbol, &self.bytes, vocabulary.roles.unknown, tokens);
            } else {
                tokens.push(symbol.id);
            }
        }
    }
}

/// Cuts a text in front of every mark that does not follow another.
fn words(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let letters = text.len() - text.trim_start_matches(SPACE_MARK).len();
        let end = text[letters..].find(SPACE_MARK).map_or(text.len(), |end| letters + end);
        let (word, rest) = text.split_at(end);
        text = rest;
        (!word.is_empty()).then_some(word)
    })
}

/// Appends the tokens of single bytes; where one has no token, a single unknown token stands for all of them.
pub(super) fn push_bytes(bytes: &[u8], table: &[Option<u32>], unknown: Option<u32>, tokens: &mut Vec<u32>) {
    let before = tokens.len();
    for &byte in bytes {
        if let Some(token) = table[usize::from(byte)] {
            tokens.push(token);
        } else {
            tokens.truncate(before);
            tokens.extend(unknown);
            return;
        }
    }
}

/// Maps a score to a number that sorts the other way round. Negative zero counts as zero.
fn priority(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::vocabulary::{Roles, TokenKind};

    #[test]
    fn priorities_fall_as_scores_rise() {
        let scores = [f32::INFINITY, 3.5, 1.0, 0.0, -1.0, -2.5, f32::NEG_INFINITY];
        assert!(scores.windows(2).all(|pair| priority(pair[0]) < priority(pair[1])));
        assert_eq!(priority(0.0), priority(-0.0));
    }

    fn tokens(texts: &[(&str, f32)], text: &str, add_space: bool) -> Vec<u32> {
        let mut all: Vec<(String, f32, TokenKind)> = vec![("<unk>".into(), 0.0, TokenKind::Unknown)];
        all.extend(texts.iter().map(|&(text, score)| (text.to_owned(), score, TokenKind::Normal)));
        all.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 0.0, TokenKind::Byte)));
        let roles = Roles { unknown: Some(0), ..Roles::default() };
        let kinds = all.iter().map(|token| token.2).collect();
        let texts = all.iter().map(|token| token.0.as_bytes());
        let vocabulary = Vocabulary::new(texts, kinds, roles, Spelling::Marked).unwrap();
        let scores: Vec<f32> = all.iter().map(|token| token.1).collect();
        let mut tokens = Vec::new();
        Spm::new(&vocabulary, &scores, add_space).encode(&vocabulary, text, true, &mut tokens);
        tokens
    }

    #[test]
    fn the_highest_score_merges_first() {
        let vocabulary = [("a", -9.0), ("b", -9.0), ("c", -9.0), ("ab", -2.0), ("bc", -1.0), ("abc", -3.0)];
        assert_eq!(tokens(&vocabulary, "abc", false), [6]);
        assert_eq!(tokens(&vocabulary[..5], "abc", false), [1, 5]);
        assert_eq!(tokens(&vocabulary, "ab", false), [4]);
    }

    #[test]
    fn a_space_goes_in_front_and_spaces_are_marks() {
        let vocabulary = [("▁", -1.0), ("a", -2.0), ("▁a", -3.0), ("▁▁", -4.0)];
        assert_eq!(tokens(&vocabulary, "a a", true), [3, 3]);
        assert_eq!(tokens(&vocabulary, "a a", false), [2, 3]);
        assert_eq!(tokens(&vocabulary, "  ", false), [4]);
    }

    #[test]
    fn what_is_no_token_becomes_bytes() {
        assert_eq!(tokens(&[("a", 0.0)], "aé", false), [1, 2 + 0xc3, 2 + 0xa9]);
        assert_eq!(tokens(&[("a", 0.0)], "<0x41>", false).len(), 6, "the text of a byte token is only text");
    }

    #[test]
    fn words_start_with_their_marks() {
        assert_eq!(words("a▁▁b▁c▁").collect::<Vec<_>>(), ["a", "▁▁b", "▁c", "▁"]);
        assert_eq!(words("").count(), 0);
    }

    #[test]
    fn a_token_may_reach_over_words() {
        let vocabulary = [("▁", -1.0), ("a", -2.0), ("▁a", -3.0), ("a▁", -0.5), ("a▁a", -0.1)];
        assert_eq!(tokens(&vocabulary, "a a", false), [5]);
        assert_eq!(tokens(&vocabulary[..3], "a a a", false), [2, 3, 3]);
    }

    #[test]
    fn a_byte_without_a_token_makes_its_symbol_unknown() {
        let mut tokens = vec![7];
        let mut table = vec![None; 256];
        table[1] = Some(9);
        push_bytes(&[1, 2], &table, Some(0), &mut tokens);
        push_bytes(&[1, 1], &table, Some(0), &mut tokens);
        push_bytes(&[3], &table, None, &mut tokens);
        assert_eq!(tokens, [7, 0, 9, 9]);
    }
}
