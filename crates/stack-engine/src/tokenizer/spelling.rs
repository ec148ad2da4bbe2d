//! How a vocabulary writes bytes down as token texts.

use std::borrow::Cow;

use super::TokenKind;

/// The visible stand-in for a space, U+2581.
pub(super) const SPACE_MARK: &str = "\u{2581}";

/// How token texts of a vocabulary relate to the bytes they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Every byte is written as one printable character (GPT-2).
    ByteLevel,
    /// Text is written as it is, with a mark for each space; `<0xXX>` is a byte.
    Marked,
    /// Text is written as it is; `##` marks what continues a word, anything else starts one.
    Continued,
}

impl Spelling {
    /// Returns the bytes that a token of this text and kind adds to a text.
    pub(super) fn bytes(self, text: &[u8], kind: TokenKind) -> Cow<'_, [u8]> {
        match (kind, self) {
            (TokenKind::Control | TokenKind::Unknown | TokenKind::UserDefined, _) => Cow::Borrowed(text),
            (TokenKind::Byte, _) if byte_token(text).is_some() => byte_token(text).into_iter().collect(),
            (_, Self::Marked) => unmark(text),
            (_, Self::ByteLevel) => match std::str::from_utf8(text) {
                Ok(text) => Cow::Owned(lenient_bytes(text)),
                Err(_) => Cow::Borrowed(text),
            },
            (_, Self::Continued) => match text.strip_prefix(b"##") {
                Some(rest) => Cow::Borrowed(rest),
                None => Cow::Owned([b" ", text].concat()),
            },
        }
    }
}

/// Reads a byte token's text, `<0xXX>`.
pub(super) fn byte_token(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Replaces each space by its mark.
pub(super) fn mark(text: &str) -> String {
    text.replace(' ', SPACE_MARK)
}

/// Returns the bytes that byte-level text stands for, or `None` if a character stands for none.
pub(super) fn byte_level(text: &str) -> Option<Vec<u8>> {
    text.chars().map(byte_of).collect()
}

/// Returns the byte that a character stands for in byte-level text.
///
/// Printable characters of Latin-1 stand for themselves; the other 68 bytes, in order, for U+0100 and on.
fn byte_of(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// As [`byte_level`], but a character that stands for no byte is kept as it is.
fn lenient_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn unmark(text: &[u8]) -> Cow<'_, [u8]> {
    let mark = SPACE_MARK.as_bytes();
    if !text.windows(mark.len()).any(|window| window == mark) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = if let Some(after) = rest.strip_prefix(mark) {
            bytes.push(b' ');
            after
        } else {
            bytes.push(first);
            tail
        };
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes bytes as byte-level text: the inverse of [`byte_level`].
    pub(in super::super) fn spelled(bytes: &[u8]) -> String {
        bytes
            .iter()
            .map(|&byte| (0..0x144).filter_map(char::from_u32).find(|&c| byte_of(c) == Some(byte)).unwrap())
            .collect()
    }

    #[test]
    fn byte_level_text_is_one_character_for_each_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let text = spelled(&all);
        assert_eq!(text.chars().count(), 256);
        assert_eq!(byte_level(&text), Some(all));
        assert_eq!(byte_level("Ġhello"), Some(b" hello".to_vec()));
        assert_eq!(byte_level("Ċ"), Some(b"\n".to_vec()));
        assert_eq!(byte_level("▁"), None);
    }

    #[test]
    fn byte_tokens_have_two_digits() {
        assert_eq!(byte_token(b"<0x0A>"), Some(10));
        assert_eq!(byte_token(b"<0xff>"), Some(255));
        for text in ["<0x>", "<0x0>", "<0x0AA>", "<0x+1>", "0x0A", ""] {
            assert_eq!(byte_token(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn marks_become_spaces_in_ordinary_tokens_only() {
        let text = "▁a▁".as_bytes();
        assert_eq!(&*Spelling::Marked.bytes(text, TokenKind::Normal), b" a ");
        assert_eq!(&*Spelling::Marked.bytes(text, TokenKind::UserDefined), text);
        assert_eq!(&*Spelling::Marked.bytes(b"\xe2\x96", TokenKind::Normal), b"\xe2\x96");
        assert_eq!(&*Spelling::Continued.bytes(b"##ing", TokenKind::Normal), b"ing");
        assert_eq!(&*Spelling::Continued.bytes(b"walk", TokenKind::Normal), b" walk");
    }
}
