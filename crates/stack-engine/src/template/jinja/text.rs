//! Texts as Python has them: sequences of characters.

use std::fmt::Write;
use std::sync::OnceLock;

use fancy_regex::Regex;

use super::lexer::is_space;

/// Returns the quotes that `repr` puts around a text.
pub(super) fn pick_quote(text: &str) -> char {
    if text.contains('\'') && !text.contains('"') { '"' } else { '\'' }
}

/// Returns whether `repr` shows a character as it is.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    c.is_alphanumeric() || !is_in(c, Class::Unprintable)
}

/// Writes a character by its code, as `repr` shows what is not printable.
pub(super) fn push_code(out: &mut String, c: char) {
    let written = match u32::from(c) {
        code @ ..=0xff => write!(out, "\\x{code:02x}"),
        code @ ..=0xffff => write!(out, "\\u{code:04x}"),
        code => write!(out, "\\U{code:08x}"),
    };
    written.expect("a string takes all text");
}

pub(super) fn is_alpha(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { is_in(c, Class::Letter) }
}

pub(super) fn is_decimal(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { is_in(c, Class::Decimal) }
}

/// Returns whether a character is a digit, a superscript or one in a circle included.
pub(super) fn is_digit(c: char) -> bool {
    is_decimal(c) || (!c.is_ascii() && is_in(c, Class::Digit))
}

pub(super) fn is_numeric(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() || is_in(c, Class::Numeral) }
}

#[derive(Clone, Copy)]
enum Class {
    Unprintable,
    Letter,
    Decimal,
    Digit,
    Numeral,
}

fn is_in(c: char, class: Class) -> bool {
    static CLASSES: OnceLock<[Regex; 5]> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        [
            r"[\p{C}\p{Z}]",
            r"\p{L}",
            r"\p{Nd}",
            r"[²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒]",
            r"[一二三四五六七八九十百千万億兆零〇壹贰叁肆伍陆柒捌玖拾佰仟]",
        ]
        .map(|pattern| Regex::new(pattern).expect("the pattern is valid"))
    });
    let mut buffer = [0; 4];
    classes[class as usize].is_match(c.encode_utf8(&mut buffer)).unwrap_or(false)
}

/// `str.capitalize`
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    titled(first) + &chars.as_str().to_lowercase()
}

/// `str.title`: a capital at the start of each run of letters.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.push_str(&titled(c));
        }
        inside = is_cased(c);
    }
    out
}

/// The filter `title`: a capital at the start of each word.
pub(super) fn title_words(text: &str) -> String {
    let is_break = |c: char| is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_break).unwrap_or(rest.len());
        let mut word = rest[..end].chars();
        if let Some(first) = word.next() {
            out.extend(first.to_uppercase());
            out.push_str(&word.as_str().to_lowercase());
        }
        let gap = rest[end..].find(|c| !is_break(c)).map_or(rest.len(), |gap| end + gap);
        out.push_str(&rest[end..gap]);
        rest = &rest[gap..];
    }
    out
}

fn titled(c: char) -> String {
    let upper: String = c.to_uppercase().collect();
    let mut chars = upper.chars();
    match chars.next() {
        // ß becomes Ss, not SS.
        Some(first) if upper.chars().count() > 1 => format!("{first}{}", chars.as_str().to_lowercase()),
        _ => upper,
    }
}

pub(super) fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
}

/// `str.swapcase`
pub(super) fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// `str.istitle`
pub(super) fn is_title(text: &str) -> bool {
    let (mut any, mut inside) = (false, false);
    for c in text.chars() {
        if c.is_uppercase() {
            if inside {
                return false;
            }
            (any, inside) = (true, true);
        } else if c.is_lowercase() {
            if !inside {
                return false;
            }
        } else {
            inside = false;
        }
    }
    any
}

/// `str.splitlines`; the ends of the lines are kept if wanted.
pub(super) fn split_lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_line_end).unwrap_or(rest.len());
        let length = match rest[end..].chars().next() {
            Some('\r') if rest[end + 1..].starts_with('\n') => 2,
            Some(c) => c.len_utf8(),
            None => 0,
        };
        lines.push(if keep_ends { &rest[..end + length] } else { &rest[..end] });
        rest = &rest[end + length..];
    }
    lines
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `str.split` without a separator.
pub(super) fn split_blanks(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if parts.len() < limit { rest.find(is_space) } else { None };
        let Some(end) = end else {
            parts.push(rest);
            break;
        };
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    parts
}

/// `str.rsplit` without a separator.
pub(super) fn rsplit_blanks(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        let cut = if parts.len() < limit {
            rest.char_indices().rev().find(|(_, c)| is_space(*c)).map(|(at, c)| at + c.len_utf8())
        } else {
            None
        };
        let Some(cut) = cut else {
            parts.push(rest);
            break;
        };
        parts.push(&rest[cut..]);
        rest = rest[..cut].trim_end_matches(is_space);
    }
    parts.reverse();
    parts
}

/// Returns the byte position of the character with this index, or the length.
pub(super) fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// Returns how many characters a text has.
pub(super) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_those_of_python() {
        assert_eq!(title("it's a b2b-test"), "It'S A B2B-Test");
        assert_eq!(title_words("it's a (b2b-test)"), "It's A (B2b-Test)");
        assert_eq!(capitalize("ßA"), "Ssa");
    }

    #[test]
    fn splitting_at_blanks_counts_from_both_ends() {
        assert_eq!(split_blanks("  a  b  c  ", 1), ["a", "b  c  "]);
        assert_eq!(split_blanks("  a  b  ", usize::MAX), ["a", "b"]);
        assert_eq!(rsplit_blanks("  a  b  c  ", 1), ["  a  b", "c"]);
        assert_eq!(rsplit_blanks("  a  ", 0), ["  a"]);
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(split_lines("a\r\nb\u{85}c\n", false), ["a", "b", "c"]);
        assert_eq!(split_lines("a\r\n\nb", true), ["a\r\n", "\n", "b"]);
    }
}
