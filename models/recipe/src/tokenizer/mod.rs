//! The vocabulary and how text becomes tokens: the `llama` (SPM) scheme of GGUF files.
//!
//! A space is written ▁. Text starts as single letters; of all neighbours whose concatenation is a piece, the
//! pair with the highest score is joined first, the leftmost among equals. What is left and unknown is written as
//! bytes. No space is put in front of a text.

mod learn;

use std::collections::HashMap;

use crate::batch::Example;
use crate::grammar::{Role, Text};

/// What a token is, with the numbers that GGUF files use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Normal = 1,
    /// Stands for what cannot be written.
    Unknown = 2,
    /// Structure, never text.
    Control = 3,
    /// One byte of text.
    Byte = 6,
}

/// One token of the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Its text, with ▁ for a space.
    pub(crate) text: String,
    /// Its rank among merges: higher is joined earlier.
    pub(crate) score: f32,
    /// What it is.
    pub(crate) kind: Kind,
}

/// A trained vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Tokenizer {
    pieces: Vec<Piece>,
    /// The ids of normal pieces.
    ids: HashMap<String, u32>,
}

/// Begins every text.
pub(crate) const BEGIN: u32 = 1;
/// Ends every message.
pub(crate) const END: u32 = 2;
const SYSTEM: u32 = 3;
const USER: u32 = 4;
const ASSISTANT: u32 = 5;
const FIRST_BYTE: u32 = 6;
const CONTROL: [&str; 5] = ["<s>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"];

/// The chat template that writes what [`Tokenizer::example`] encodes. The beginning-of-text token is not in it:
/// the tokenizer adds that.
pub(crate) const CHAT_TEMPLATE: &str = "{% for message in messages %}\
    {% if message.role == 'system' %}<|system|>\
    {% elif message.role == 'assistant' %}<|assistant|>\
    {% else %}<|user|>{% endif %}\
    {{ message.content | trim }}<|end|>\
    {% endfor %}\
    {% if add_generation_prompt %}<|assistant|>{% endif %}";

impl Tokenizer {
    /// How many tokens come before the normal pieces.
    pub(crate) const FIXED: usize = FIRST_BYTE as usize + 256;

    /// Learns a vocabulary of `size` tokens from texts.
    pub(crate) fn learn<'a>(texts: impl Iterator<Item = &'a str>, size: usize) -> Self {
        Self::with_pieces(learn::pieces(texts, size - Self::FIXED))
    }

    /// Takes the normal pieces of a vocabulary; the fixed ones come before them.
    pub(crate) fn with_pieces(normal: Vec<Piece>) -> Self {
        let piece = |text: String, kind| Piece { text, score: 0.0, kind };
        let mut pieces = vec![piece("<unk>".to_owned(), Kind::Unknown)];
        pieces.extend(CONTROL.map(|text| piece(text.to_owned(), Kind::Control)));
        pieces.extend((0..=255).map(|byte| piece(format!("<0x{byte:02X}>"), Kind::Byte)));
        let first = pieces.len() as u32;
        let ids = normal.iter().zip(first..).map(|(piece, id)| (piece.text.clone(), id)).collect();
        pieces.extend(normal);
        Self { pieces, ids }
    }

    /// Returns the vocabulary in the order of its ids.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Encodes text. Control tokens are never recognised in it.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        // Merging each chunk by itself gives the same tokens as merging the whole: no piece crosses a chunk's edge.
        learn::chunks(text).flat_map(|chunk| self.encode_chunk(&chunk)).collect()
    }

    /// Decodes tokens; control tokens are left out.
    pub(crate) fn decode(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &token in tokens {
            match self.pieces[token as usize].kind {
                Kind::Normal => bytes.extend(self.pieces[token as usize].text.replace('▁', " ").bytes()),
                Kind::Byte => bytes.push((token - FIRST_BYTE) as u8),
                Kind::Unknown | Kind::Control => {}
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Encodes a text to learn from: of conversations, only what the assistant says is learned.
    pub(crate) fn example(&self, text: &Text) -> Example {
        let mut example = Example { tokens: vec![BEGIN], learned: vec![false] };
        match text {
            Text::Plain(text) => {
                example.extend(self.encode(text), true);
                example.extend([END], true);
            }
            Text::Chat(turns) => {
                for turn in turns {
                    let learned = turn.role == Role::Assistant;
                    example.extend([role_token(turn.role)], false);
                    example.extend(self.encode(&turn.text), learned);
                    example.extend([END], learned);
                }
            }
        }
        example
    }

    /// Encodes an assistant's prompt for its next message.
    pub(crate) fn prompt(&self, turns: &[(Role, &str)]) -> Vec<u32> {
        let mut tokens = vec![BEGIN];
        for &(role, text) in turns {
            tokens.push(role_token(role));
            tokens.extend(self.encode(text));
            tokens.push(END);
        }
        tokens.push(ASSISTANT);
        tokens
    }

    fn encode_chunk(&self, chunk: &str) -> Vec<u32> {
        let mut symbols: Vec<String> = chunk.chars().map(String::from).collect();
        loop {
            let mut best: Option<(usize, f32)> = None;
            for (i, pair) in symbols.windows(2).enumerate() {
                let Some(&id) = self.ids.get(&pair.concat()) else { continue };
                let score = self.pieces[id as usize].score;
                if best.is_none_or(|(_, highest)| score > highest) {
                    best = Some((i, score));
                }
            }
            let Some((i, _)) = best else { break };
            let right = symbols.remove(i + 1);
            symbols[i].push_str(&right);
        }
        let mut tokens = Vec::with_capacity(symbols.len());
        for symbol in symbols {
            match self.ids.get(&symbol) {
                Some(&id) => tokens.push(id),
                None => tokens.extend(symbol.bytes().map(|byte| FIRST_BYTE + u32::from(byte))),
            }
        }
        tokens
    }
}

impl Example {
    fn extend(&mut self, tokens: impl IntoIterator<Item = u32>, learned: bool) {
        self.tokens.extend(tokens);
        self.learned.resize(self.tokens.len(), learned);
    }
}

fn role_token(role: Role) -> u32 {
    match role {
        Role::System => SYSTEM,
        Role::User => USER,
        Role::Assistant => ASSISTANT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Turn;

    fn tokenizer() -> Tokenizer {
        let text =
            "Once upon a time, there was a dog named Max. \"Hello,\" said the dog. The dog was a good dog.";
        Tokenizer::learn([text].into_iter(), 6 + 256 + 95 + 40)
    }

    #[test]
    fn text_comes_back_unchanged() {
        let tokenizer = tokenizer();
        for text in ["", "A dog named Max.", " two  spaces ", "Zürich, 100 €\nnext", "\"The dog\"", "<|end|>"]
        {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
        }
    }

    #[test]
    fn frequent_words_are_one_token() {
        let tokenizer = tokenizer();
        assert_eq!(tokenizer.encode(" dog dog").len(), 2);
        assert!(tokenizer.encode(" submarine").len() > 2);
    }

    #[test]
    fn the_highest_score_is_joined_first() {
        let piece = |text: &str, score| Piece { text: text.to_owned(), score, kind: Kind::Normal };
        let letters = ["a", "b", "c"].map(|letter| piece(letter, -9.0));
        let pieces = letters.into_iter().chain([piece("ab", -2.0), piece("bc", -1.0)]).collect();
        let tokenizer = Tokenizer::with_pieces(pieces);
        let first = FIRST_BYTE + 256;
        assert_eq!(tokenizer.encode("abc"), [first, first + 4]);
    }

    #[test]
    fn only_the_assistant_is_learned() {
        let tokenizer = tokenizer();
        let turn = |role, text: &str| Turn { role, text: text.to_owned() };
        let chat = Text::Chat(vec![turn(Role::User, "dog"), turn(Role::Assistant, "Max")]);
        let example = tokenizer.example(&chat);
        let (dog, max) = (tokenizer.encode("dog"), tokenizer.encode("Max"));
        let expected =
            [vec![BEGIN, USER], dog.clone(), vec![END, ASSISTANT], max.clone(), vec![END]].concat();
        assert_eq!(example.tokens, expected);
        assert_eq!(example.learned.iter().filter(|learned| **learned).count(), max.len() + 1);
        assert!(example.tokens.starts_with(&tokenizer.prompt(&[(Role::User, "dog")])));
    }
}
