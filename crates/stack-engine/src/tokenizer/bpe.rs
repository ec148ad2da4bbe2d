//! Byte-pair encoding with ranked merges, over bytes (GPT-2 and most after it) or over characters (Gemma 4).
//!
//! Text is split into pieces; in each piece the adjacent pair whose merge is listed first merges first. Everything is
//! done in bytes: the printable spelling of byte-level vocabularies is undone once, when the vocabulary is read.

use std::collections::HashMap;

use super::TokenizerError;
use super::merge::{Merger, NO_ID, blocks};
use super::pretokenizers::{Alphabet, PreTokenizer};
use super::repeats::Repeats;
use super::spelling::{byte_level, mark};
use super::split::Splitter;
use super::spm::push_bytes;
use super::vocabulary::Vocabulary;

/// Merges of a vocabulary, ready to use.
///
/// A *symbol* is a byte string that merges can make. Usually it is a token, but merges may pass through texts that
/// are none.
pub(super) struct Bpe {
    splitter: Splitter,
    alphabet: Alphabet,
    whole_pieces: bool,
    symbols: HashMap<Box<[u8]>, u32>,
    /// The token of each symbol.
    tokens: Vec<Option<u32>>,
    /// The rank and the result of merging two symbols.
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// The symbol of each byte.
    byte_symbols: Vec<u32>,
    /// The token of each byte, for what no longer token covers.
    byte_tokens: Vec<Option<u32>>,
    longest: usize,
}

impl Bpe {
    /// Prepares for a vocabulary with merges, best first, each two texts with a space between.
    ///
    /// A merge of texts that nothing can make is without effect, as is one that repeats an earlier one.
    pub(super) fn new(
        vocabulary: &Vocabulary,
        merges: &[Vec<u8>],
        rule: &PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let mut bpe = Self {
            splitter: Splitter::new(rule.steps).map_err(TokenizerError::Malformed)?,
            alphabet: rule.traits.alphabet,
            whole_pieces: rule.traits.whole_pieces,
            symbols: HashMap::with_capacity(vocabulary.len()),
            tokens: Vec::with_capacity(vocabulary.len()),
            merges: HashMap::with_capacity(merges.len()),
            byte_symbols: Vec::new(),
            byte_tokens: vocabulary.byte_tokens(),
            longest: 0,
        };
        for (id, text) in
            vocabulary.iter().filter(|&(id, text)| !text.is_empty() && vocabulary.is_ordinary(id))
        {
            if let Some(bytes) = bpe.bytes(text) {
                bpe.longest = bpe.longest.max(bytes.len());
                let symbol = bpe.symbol(bytes);
                bpe.tokens[symbol as usize] = Some(id);
            }
        }
        if bpe.alphabet == Alphabet::Bytes {
            bpe.byte_symbols = (0..=255).map(|byte| bpe.symbol(vec![byte])).collect();
            bpe.byte_tokens = bpe.byte_symbols.iter().map(|&symbol| bpe.tokens[symbol as usize]).collect();
        }
        for (rank, merge) in (0..).zip(merges) {
            // The first text may itself start with a space.
            let Some(gap) = merge.iter().skip(1).position(|&byte| byte == b' ') else { continue };
            let (left, right) = (&merge[..=gap], &merge[gap + 2..]);
            let (Some(left), Some(right)) = (bpe.bytes(left), bpe.bytes(right)) else { continue };
            let joined = bpe.symbol([left.as_slice(), &right].concat());
            let pair = (bpe.symbol(left), bpe.symbol(right));
            bpe.merges.entry(pair).or_insert((rank, joined));
        }
        Ok(bpe)
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, tokens: &mut Vec<u32>) {
        let marked;
        let text = if self.alphabet == Alphabet::MarkedCharacters {
            marked = mark(text);
            &marked
        } else {
            text
        };
        let mut merger = Merger::default();
        let mut repeats = Repeats::default();
        self.splitter.split(text, &mut |piece| {
            repeats.append(piece, tokens, |tokens| {
                if let Some(token) = self.whole(piece) {
                    tokens.push(token);
                    return;
                }
                for block in blocks(piece) {
                    self.encode_block(vocabulary, block, &mut merger, tokens);
                }
            });
        });
    }

    /// Returns the token of a whole piece if merges are not to be asked.
    fn whole(&self, piece: &str) -> Option<u32> {
        let lines = self.alphabet == Alphabet::MarkedCharacters && piece.bytes().all(|byte| byte == b'\n');
        if piece.len() > self.longest || !(self.whole_pieces || lines) {
            return None;
        }
        self.tokens[*self.symbols.get(piece.as_bytes())? as usize]
    }

    fn encode_block(&self, vocabulary: &Vocabulary, text: &str, merger: &mut Merger, tokens: &mut Vec<u32>) {
        merger.clear();
        if self.alphabet == Alphabet::Bytes {
            text.bytes().for_each(|byte| merger.push(1, self.byte_symbols[usize::from(byte)]));
        } else {
            let mut buffer = [0; 4];
            for c in text.chars() {
                let character = c.encode_utf8(&mut buffer).as_bytes();
                merger.push(character.len(), self.symbols.get(character).copied().unwrap_or(NO_ID));
            }
        }
        merger.run(|left, right| self.merges.get(&(left.id, right.id)).copied());
        for symbol in merger.symbols() {
            if let Some(&Some(token)) = self.tokens.get(symbol.id as usize) {
                tokens.push(token);
            } else {
                let bytes = &text.as_bytes()[symbol.start as usize..symbol.end as usize];
                push_bytes(bytes, &self.byte_tokens, vocabulary.roles.unknown, tokens);
            }
        }
    }

    /// Returns the bytes that a text of the vocabulary stands for, if ordinary text can become it at all.
    fn bytes(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self.alphabet {
            Alphabet::Bytes => byte_level(std::str::from_utf8(text).ok()?),
            Alphabet::MarkedCharacters | Alphabet::Characters => Some(text.to_vec()),
        }
    }

    /// Returns the symbol of a byte string, a new one if it has none yet.
    fn symbol(&mut self, bytes: Vec<u8>) -> u32 {
        let tokens = &mut self.tokens;
        *self.symbols.entry(bytes.into_boxed_slice()).or_insert_with(|| {
            tokens.push(None);
            (tokens.len() - 1) as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::pretokenizers::pre_tokenizer;
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::spelling::tests::spelled;
    use crate::tokenizer::vocabulary::{Roles, TokenKind};

    /// Encodes with all bytes as tokens 0 to 255 and more behind them.
    fn tokens(more: &[&str], merges: &[&str], rule: &str, text: &str) -> Vec<u32> {
        let texts: Vec<String> =
            (0..=255).map(|byte| spelled(&[byte])).chain(more.iter().map(|&text| text.to_owned())).collect();
        let kinds = vec![TokenKind::Normal; texts.len()];
        let bytes = texts.iter().map(String::as_bytes);
        let vocabulary = Vocabulary::new(bytes, kinds, Roles::default(), Spelling::ByteLevel).unwrap();
        let merges: Vec<Vec<u8>> = merges.iter().map(|merge| merge.as_bytes().to_vec()).collect();
        let mut tokens = Vec::new();
        let bpe = Bpe::new(&vocabulary, &merges, pre_tokenizer(rule).unwrap()).unwrap();
        bpe.encode(&vocabulary, text, &mut tokens);
        tokens
    }

    #[test]
    fn the_merge_listed_first_goes_first() {
        let more = ["ab", "bc", "abc"];
        assert_eq!(tokens(&more, &["b c", "a b", "a bc"], "gpt-2", "abc"), [258]);
        assert_eq!(tokens(&more, &["a b", "b c", "a bc"], "gpt-2", "abc"), [256, u32::from(b'c')]);
        assert_eq!(tokens(&["Ġa"], &["Ġ a"], "gpt-2", "a a"), [u32::from(b'a'), 256]);
    }

    #[test]
    fn merges_stay_inside_pieces() {
        assert_eq!(tokens(&["1a"], &["1 a"], "gpt-2", "1a"), [u32::from(b'1'), u32::from(b'a')]);
    }

    #[test]
    fn a_whole_piece_that_is_a_token_needs_no_merges_where_the_rule_says_so() {
        assert_eq!(tokens(&["abc"], &[], "llama-bpe", "abc"), [256]);
        assert_eq!(tokens(&["abc"], &[], "qwen2", "abc"), [97, 98, 99]);
    }

    #[test]
    fn merges_may_name_what_is_no_token() {
        assert_eq!(tokens(&["abc"], &["a b", "ab c"], "gpt-2", "abc ab"), [256, 32, 97, 98]);
        assert_eq!(tokens(&["abc"], &["▁ x", "", "a", " ", "a b", "a b", "ab c"], "gpt-2", "abc"), [256]);
    }

    #[test]
    fn characters_beyond_the_vocabulary_are_bytes() {
        assert_eq!(tokens(&[], &[], "gpt-2", "é"), [0xc3, 0xa9]);
    }

    #[test]
    fn marked_characters_merge_across_spaces_and_fall_back_to_bytes() {
        let mut texts: Vec<String> = ["▁", "a", "▁a", "\n\n"].map(str::to_owned).to_vec();
        let mut kinds = vec![TokenKind::Normal; texts.len()];
        texts.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
        kinds.resize(texts.len(), TokenKind::Byte);
        let bytes = texts.iter().map(String::as_bytes);
        let vocabulary = Vocabulary::new(bytes, kinds, Roles::default(), Spelling::Marked).unwrap();
        let bpe = Bpe::new(&vocabulary, &["▁ a".into()], pre_tokenizer("gemma4").unwrap()).unwrap();
        let mut tokens = Vec::new();
        bpe.encode(&vocabulary, "a a\n\né", &mut tokens);
        assert_eq!(tokens, [1, 2, 3, 4 + 0xc3, 4 + 0xa9]);
    }

    #[test]
    fn one_endless_word_takes_no_quadratic_time() {
        let text = "a".repeat(1 << 20);
        assert_eq!(tokens(&["aa", "aaaa"], &["a a", "aa aa"], "gpt-2", &text).len(), 1 << 18);
    }
}
