//! The tokens of a model: their texts, kinds and roles.

use std::collections::{BTreeSet, HashMap};

use super::TokenizerError;
use super::spelling::{Spelling, byte_token};

/// What sort of token an id is. The numbers are GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Ordinary text.
    Normal = 1,
    /// Stands for text that the vocabulary cannot express.
    Unknown = 2,
    /// Steers the model and is no text: recognised in templates, never in what callers write.
    Control = 3,
    /// Text that always becomes this one token.
    UserDefined = 4,
    /// A place in the table without a purpose.
    Unused = 5,
    /// A single byte.
    Byte = 6,
}

impl TokenKind {
    /// Returns the kind that GGUF gives this number; a number without meaning is an ordinary token.
    pub(super) fn from_number(number: i64) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => Self::Normal,
        }
    }
}

/// The ids of tokens with a role, as far as a model names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub struct Roles {
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub eot: Option<u32>,
    pub eom: Option<u32>,
    pub unknown: Option<u32>,
    pub separator: Option<u32>,
    pub padding: Option<u32>,
    pub mask: Option<u32>,
    pub fim_prefix: Option<u32>,
    pub fim_suffix: Option<u32>,
    pub fim_middle: Option<u32>,
    pub fim_padding: Option<u32>,
    pub fim_repository: Option<u32>,
    pub fim_separator: Option<u32>,
}

/// All tokens of a model.
#[derive(Debug)]
pub(super) struct Vocabulary {
    texts: Strings,
    pieces: Strings,
    kinds: Vec<TokenKind>,
    by_text: HashMap<Box<[u8]>, u32>,
    pub(super) roles: Roles,
    pub(super) end_of_generation: BTreeSet<u32>,
    /// Control tokens that are shown all the same.
    pub(super) shown: BTreeSet<u32>,
}

impl Vocabulary {
    /// Collects tokens, `texts` and `kinds` being in step. Of tokens with equal texts the last is found by its text.
    pub(super) fn new<'a>(
        texts: impl Iterator<Item = &'a [u8]>,
        kinds: Vec<TokenKind>,
        roles: Roles,
        spelling: Spelling,
    ) -> Result<Self, TokenizerError> {
        let mut vocabulary = Self {
            texts: Strings::default(),
            pieces: Strings::default(),
            by_text: HashMap::with_capacity(kinds.len()),
            kinds,
            roles,
            end_of_generation: BTreeSet::new(),
            shown: BTreeSet::new(),
        };
        for (id, text) in texts.enumerate() {
            if text.len() > TOKEN_BYTES_MAX {
                let problem = format!("token {id} has {} bytes; {TOKEN_BYTES_MAX} is the limit", text.len());
                return Err(TokenizerError::Malformed(problem));
            }
            vocabulary.texts.push(text);
            vocabulary.pieces.push(&spelling.bytes(text, vocabulary.kinds[id]));
            if !text.is_empty() {
                vocabulary.by_text.insert(text.into(), id as u32);
            }
        }
        vocabulary.assign_roles();
        Ok(vocabulary)
    }

    /// Returns the number of tokens.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Returns a token's text as the vocabulary writes it; empty for an id that is no token.
    pub(super) fn text(&self, id: u32) -> &[u8] {
        self.texts.get(id)
    }

    /// Returns the bytes that a token stands for; empty for an id that is no token.
    pub(super) fn piece(&self, id: u32) -> &[u8] {
        self.pieces.get(id)
    }

    /// Returns the kind; an id that is no token is unused.
    pub(super) fn kind(&self, id: u32) -> TokenKind {
        self.kinds.get(id as usize).copied().unwrap_or(TokenKind::Unused)
    }

    pub(super) fn set_kind(&mut self, id: u32, kind: TokenKind) {
        self.kinds[id as usize] = kind;
    }

    /// Whether a token is left out of text.
    pub(super) fn is_hidden(&self, id: u32) -> bool {
        matches!(self.kind(id), TokenKind::Control | TokenKind::Unknown) && !self.shown.contains(&id)
    }

    /// Returns the token whose text this is.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// Returns the token whose text this is if ordinary text may become it: it is neither control, unknown nor a byte.
    pub(super) fn find_ordinary(&self, text: &[u8]) -> Option<u32> {
        self.find(text).filter(|&id| self.is_ordinary(id))
    }

    /// Whether ordinary text may become this token.
    pub(super) fn is_ordinary(&self, id: u32) -> bool {
        matches!(self.kind(id), TokenKind::Normal | TokenKind::UserDefined | TokenKind::Unused)
    }

    /// Iterates over all ids and their texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.len() as u32).map(|id| (id, self.text(id)))
    }

    /// Returns the token to write for each byte that no longer token covers, spelled `<0xXX>`.
    pub(super) fn byte_tokens(&self) -> Vec<Option<u32>> {
        let mut tokens = vec![None; 256];
        for (id, text) in self.iter() {
            let ordinary = matches!(self.kind(id), TokenKind::Byte | TokenKind::Normal);
            if let Some(byte) = byte_token(text).filter(|_| ordinary) {
                tokens[usize::from(byte)] = Some(id);
            }
        }
        tokens
    }
}

/// Longest text a token may have.
///
/// It bounds the time that a hostile vocabulary can make one look-up take; the longest of real ones are about 1,000.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Many byte strings in one allocation.
#[derive(Debug, Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(tokens: &[(&str, TokenKind)]) -> Vocabulary {
        let texts = tokens.iter().map(|(text, _)| text.as_bytes());
        let kinds = tokens.iter().map(|&(_, kind)| kind).collect();
        Vocabulary::new(texts, kinds, Roles::default(), Spelling::Marked).unwrap()
    }

    #[test]
    fn of_equal_texts_the_last_is_found() {
        let vocabulary =
            vocabulary(&[("a", TokenKind::Normal), ("", TokenKind::Normal), ("a", TokenKind::Normal)]);
        assert_eq!(vocabulary.find(b"a"), Some(2));
        assert_eq!(vocabulary.find(b""), None);
        assert_eq!(vocabulary.text(0), b"a");
    }

    #[test]
    fn an_id_outside_the_vocabulary_has_no_text() {
        let vocabulary = vocabulary(&[("a", TokenKind::Normal)]);
        assert_eq!(vocabulary.piece(1), b"");
        assert_eq!(vocabulary.text(u32::MAX), b"");
        assert_eq!(vocabulary.kind(7), TokenKind::Unused);
    }

    #[test]
    fn ordinary_text_becomes_neither_control_nor_byte_tokens() {
        let vocabulary = vocabulary(&[("</s>", TokenKind::Control), ("<0x41>", TokenKind::Byte)]);
        assert_eq!(vocabulary.find_ordinary(b"</s>"), None);
        assert_eq!(vocabulary.find_ordinary(b"<0x41>"), None);
        assert_eq!(vocabulary.byte_tokens()[0x41], Some(1));
    }

    #[test]
    fn a_token_of_unreasonable_length_is_refused() {
        let text = vec![b'a'; TOKEN_BYTES_MAX + 1];
        let texts = std::iter::once(text.as_slice());
        let refused = Vocabulary::new(texts, vec![TokenKind::Normal], Roles::default(), Spelling::Marked);
        assert!(refused.unwrap_err().to_string().contains("token 0 has 16385 bytes"));
    }
}
