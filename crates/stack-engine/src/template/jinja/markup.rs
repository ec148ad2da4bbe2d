//! HTML: escaping it, and taking it out of a text.

use std::sync::Arc;

use super::lexer::is_space;
use super::value::Str;

/// Escapes a text for HTML, unless it is safe.
pub(super) fn escape(text: &Str) -> Arc<str> {
    if text.safe { text.text.clone() } else { escape_all(&text.text).into() }
}

/// Escapes a text for HTML.
pub(super) fn escape_all(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Removes comments and tags, collapses white space and resolves character references.
pub(super) fn strip_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end = if rest[start..].starts_with("<!--") {
            rest[start + 4..].find("-->").map(|end| start + 4 + end + 3)
        } else {
            rest[start..].find('>').map(|end| start + end + 1)
        };
        let Some(end) = end else { break };
        out.push_str(&rest[..start]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split(is_space).filter(|word| !word.is_empty()).collect();
    unescape(&words.join(" "))
}

/// Resolves character references: numbers, and the names that are in use.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match reference(rest) {
            Some((c, length)) => {
                out.push_str(c.as_str());
                rest = &rest[length..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

/// Reads a character reference behind its `&`; returns what it stands for, and its length.
fn reference(text: &str) -> Option<(String, usize)> {
    if let Some(digits) = text.strip_prefix('#') {
        let (digits, radix, skip) = match digits.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2),
            None => (digits, 10, 1),
        };
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        if length == 0 {
            return None;
        }
        let end = skip + length + usize::from(digits[length..].starts_with(';'));
        let code = u32::from_str_radix(&digits[..length], radix).unwrap_or(u32::MAX);
        let c = if code == 0 { None } else { char::from_u32(code) };
        return Some((c.unwrap_or('\u{fffd}').to_string(), end));
    }
    NAMES.iter().find_map(|(name, c)| {
        let rest = text.strip_prefix(name)?;
        let closed = rest.starts_with(';');
        // Old names may stand without the semicolon.
        (closed || OPEN.contains(name)).then(|| ((*c).to_owned(), name.len() + usize::from(closed)))
    })
}

const NAMES: [(&str, &str); 16] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("copy", "\u{a9}"),
    ("reg", "\u{ae}"),
    ("laquo", "\u{ab}"),
    ("raquo", "\u{bb}"),
    ("hellip", "\u{2026}"),
    ("ndash", "\u{2013}"),
    ("mdash", "\u{2014}"),
    ("lsquo", "\u{2018}"),
    ("rsquo", "\u{2019}"),
    ("euro", "\u{20ac}"),
];
const OPEN: [&str; 9] = ["amp", "lt", "gt", "quot", "nbsp", "copy", "reg", "laquo", "raquo"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_references_are_resolved() {
        assert_eq!(strip_tags("<b>a</b>\n <!-- <i> -->b &lt;&#65;&#x42; &amp c < d"), "a b <AB & c < d");
    }
}
