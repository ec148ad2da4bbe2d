//! The outer shape of a template: text, comments, tags, and the tokens in a tag.

use super::error::TemplateError;

/// A piece of the source, as byte positions. Comments and raw blocks are no pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What is written as it stands.
    Text { start: usize, end: usize },
    /// What lies between the delimiters of a tag, their whitespace control excluded.
    Code { start: usize, end: usize },
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Name,
    Number,
    String,
    Symbol,
}

/// A token in a tag, as byte positions in the whole source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Splits a template. An unclosed comment or tag ends the list; the compiler will complain about it.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = find_open(source, at) {
        if open > at {
            pieces.push(Piece::Text { start: at, end: open });
        }
        let closing = match &source[open..open + 2] {
            "{#" => "#}",
            "{{" => "}}",
            _ => "%}",
        };
        let Some(close) = find_close(source, open + 2, closing) else { return Ok(pieces) };
        at = close + 2;
        if closing == "#}" {
            continue;
        }
        let (start, end) = inner(source, open + 2, close);
        if closing == "%}" && source[start..end].trim() == "raw" {
            let end = find_end_of_raw(source, at).unwrap_or(source.len());
            if end - at > RAW_BYTES_MAX {
                return Err(TemplateError::Exhausted("it holds a very long raw block".into()));
            }
            at = end;
            continue;
        }
        pieces.push(Piece::Code { start, end });
    }
    if at < source.len() {
        pieces.push(Piece::Text { start: at, end: source.len() });
    }
    Ok(pieces)
}

/// Splits the inside of a tag.
pub(super) fn tokens(source: &str, start: usize, end: usize) -> Result<Vec<Token>, TemplateError> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut at = start;
    let mut depth = 0_usize;
    while at < end {
        let first = bytes[at];
        let (kind, length) = match first {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'"' | b'\'' => (TokenKind::String, string_length(&bytes[at..end])),
            b'0'..=b'9' => (TokenKind::Number, number_length(&bytes[at..end])),
            b if is_name(b) => (
                TokenKind::Name,
                bytes[at..end].iter().take_while(|&&b| is_name(b) || b.is_ascii_digit()).count(),
            ),
            _ => {
                let pair = bytes.get(at..(at + 2).min(end)).unwrap_or_default();
                (TokenKind::Symbol, if PAIRS.contains(&pair) { 2 } else { 1 })
            }
        };
        if kind == TokenKind::Symbol {
            match first {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > BRACKETS_MAX {
                return Err(TemplateError::Exhausted("its brackets are nested too deep".into()));
            }
        }
        tokens.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    Ok(tokens)
}

fn find_open(source: &str, from: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    (from..bytes.len().saturating_sub(1))
        .find(|&at| bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))
}

/// Finds the end of a tag; what looks like it inside a string, or inside brackets, is not one.
fn find_close(source: &str, from: usize, closing: &str) -> Option<usize> {
    if closing == "#}" {
        return source[from..].find(closing).map(|at| from + at);
    }
    let bytes = source.as_bytes();
    let mut at = from;
    let mut braces = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at += string_length(&bytes[at..]) - 1,
            _ if braces == 0 && bytes[at..].starts_with(closing.as_bytes()) => return Some(at),
            b'{' => braces += 1,
            b'}' => braces = braces.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Takes the whitespace control off a tag.
fn inner(source: &str, start: usize, end: usize) -> (usize, usize) {
    let bytes = source.as_bytes();
    let mut range = (start, end);
    if range.0 < range.1 && matches!(bytes[range.0], b'-' | b'+') {
        range.0 += 1;
    }
    if range.0 < range.1 && matches!(bytes[range.1 - 1], b'-' | b'+') {
        range.1 -= 1;
    }
    range
}

fn find_end_of_raw(source: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(open) = source[at..].find("{%").map(|open| at + open) {
        let close = source[open..].find("%}").map(|close| open + close)?;
        let (start, end) = inner(source, open + 2, close);
        if source.get(start..end).is_some_and(|word| word.trim() == "endraw") {
            return Some(close + 2);
        }
        at = open + 2;
    }
    None
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != bytes[0] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn number_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while length < bytes.len() {
        let exponent_sign = matches!(bytes[length], b'+' | b'-')
            && matches!(bytes[length - 1], b'e' | b'E')
            && bytes[..length].iter().all(|b| !matches!(b, b'x' | b'X'));
        let fraction = bytes[length] == b'.' && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
        if !(bytes[length].is_ascii_alphanumeric() || bytes[length] == b'_' || exponent_sign || fraction) {
            break;
        }
        length += 1;
    }
    length
}

/// Returns whether a byte may start a name. Names beyond ASCII are single tokens, whatever the compiler says to them.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

const PAIRS: [&[u8]; 7] = [b"==", b"!=", b"<=", b">=", b"**", b"//", b"||"];
/// The longest raw block: it is written without being counted.
const RAW_BYTES_MAX: usize = 256;
/// How deep brackets may be nested in a tag.
const BRACKETS_MAX: usize = 100;
