//! From the source of a template to tokens, with Jinja2's rules for white space.
//!
//! Line ends become `\n`, and one at the very end is dropped. With `trim_blocks`, the line end behind a block tag or
//! a comment is dropped; with `lstrip_blocks`, blanks between the start of a line and such a tag. `-` beside a
//! delimiter drops all white space on that side, `+` keeps what the two rules would drop.

use std::sync::Arc;

use super::escape_sequences::unescape;
use super::fault::{Fault, Outcome};

/// A token, and the line it starts in, counted from 1.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u32,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text that is written as it stands.
    Data(String),
    PrintBegin,
    PrintEnd,
    BlockBegin,
    BlockEnd,
    Name(Arc<str>),
    Text(Arc<str>),
    Int(i128),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Splits a template into tokens; the last one is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Outcome<Vec<Token>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer =
        Lexer { source: &source, at: 0, line: 1, counted: 0, line_starts: true, tokens: Vec::new() };
    while lexer.at < source.len() {
        lexer.text()?;
    }
    lexer.push(Kind::End);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
    /// Up to where line ends have been counted.
    counted: usize,
    /// Whether the last tag took the line end behind it along.
    line_starts: bool,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    /// Reads text up to a tag, and the tag.
    fn text(&mut self) -> Outcome<()> {
        let rest = self.rest();
        let Some(open) = find_open(rest) else {
            self.push_data(rest);
            self.at = self.source.len();
            return Ok(());
        };
        let delimiter = &rest[open..open + 2];
        let sign = sign(&rest[open + 2..]);
        let text = self.stripped(&rest[..open], sign, delimiter != "{{");
        self.push_data(text);
        self.at += open;
        match delimiter {
            "{#" => {
                self.at += 2 + sign.len();
                self.comment()
            }
            "{{" => {
                self.push(Kind::PrintBegin);
                self.at += 2 + sign.len();
                self.tag(false)
            }
            _ => {
                if let Some(length) = raw_begin(self.rest()) {
                    return self.raw(length);
                }
                self.push(Kind::BlockBegin);
                self.at += 2 + sign.len();
                self.tag(true)
            }
        }
    }

    /// Applies white space control to the text before a tag.
    fn stripped(&self, text: &'a str, sign: &str, is_block: bool) -> &'a str {
        if sign == "-" {
            return text.trim_end_matches(is_space);
        }
        if sign.is_empty() && is_block {
            let start = text.rfind('\n').map_or(0, |at| at + 1);
            if (start > 0 || self.line_starts) && text[start..].chars().all(is_space) {
                return &text[..start];
            }
        }
        text
    }

    fn comment(&mut self) -> Outcome<()> {
        let rest = self.rest();
        let Some(close) = rest.find("#}") else {
            return Err(Fault::syntax("a comment is not closed", self.line_here()));
        };
        let sign = if rest[..close].ends_with('-') {
            "-"
        } else if rest[..close].ends_with('+') {
            "+"
        } else {
            ""
        };
        self.at += close + 2;
        self.behind_block(sign);
        Ok(())
    }

    fn raw(&mut self, length: usize) -> Outcome<()> {
        let begin = &self.rest()[..length];
        self.line_starts = begin.ends_with('\n');
        let line = self.line_here();
        self.at += length;
        let rest = self.rest();
        let mut from = 0;
        while let Some(open) = rest[from..].find("{%").map(|open| from + open) {
            if let Some((length, close_sign)) = raw_end(&rest[open..]) {
                let text = self.stripped(&rest[..open], sign(&rest[open + 2..]), true);
                self.push_data(text);
                self.at += open + length;
                self.behind_block(close_sign);
                return Ok(());
            }
            from = open + 2;
        }
        Err(Fault::syntax("a raw block is not closed", line))
    }

    /// Takes along the white space that belongs to the end of a block tag.
    fn behind_block(&mut self, sign: &str) {
        let rest = self.rest();
        let taken = match sign {
            "-" => rest.len() - rest.trim_start_matches(is_space).len(),
            "+" => 0,
            _ => usize::from(rest.starts_with('\n')),
        };
        self.line_starts = rest[..taken].ends_with('\n');
        self.at += taken;
    }

    /// Reads the tokens of a tag, and its end.
    fn tag(&mut self, is_block: bool) -> Outcome<()> {
        let mut brackets: Vec<&'static str> = Vec::new();
        let close = if is_block { "%}" } else { "}}" };
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(is_space);
            if trimmed.len() < rest.len() {
                self.at += rest.len() - trimmed.len();
                continue;
            }
            if rest.is_empty() {
                return Err(Fault::syntax(format!("a tag is not closed by {close}"), self.line_here()));
            }
            if brackets.is_empty() {
                let sign = match rest.as_bytes()[0] {
                    b'-' => "-",
                    b'+' if is_block => "+",
                    _ => "",
                };
                if rest[sign.len()..].starts_with(close) {
                    self.push(if is_block { Kind::BlockEnd } else { Kind::PrintEnd });
                    self.at += sign.len() + 2;
                    self.line_starts = false;
                    if is_block || sign == "-" {
                        self.behind_block(sign);
                    }
                    return Ok(());
                }
            }
            self.token(&mut brackets)?;
        }
    }

    fn token(&mut self, brackets: &mut Vec<&'static str>) -> Outcome<()> {
        let rest = self.rest();
        let line = self.line_here();
        let first = rest.chars().next().unwrap_or_default();
        let (kind, length) = if first.is_ascii_digit() {
            let after_dot = self.source[..self.at].ends_with('.');
            number(rest, after_dot).map_err(|message| Fault::syntax(message, line))?
        } else if first == '_' || first.is_alphabetic() {
            let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            (Kind::Name(rest[..length].into()), length)
        } else if matches!(first, '"' | '\'') {
            let length = text_length(rest).ok_or_else(|| Fault::syntax("a string is not closed", line))?;
            let text = unescape(&rest[1..length - 1]).map_err(|message| Fault::syntax(message, line))?;
            (Kind::Text(text.into()), length)
        } else {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            let operator = *operator
                .ok_or_else(|| Fault::syntax(format!("the character {first:?} is unexpected"), line))?;
            match operator {
                "(" => brackets.push(")"),
                "[" => brackets.push("]"),
                "{" => brackets.push("}"),
                ")" | "]" | "}" if brackets.pop() != Some(operator) => {
                    return Err(Fault::syntax(format!("{operator:?} is unexpected"), line));
                }
                _ => {}
            }
            (Kind::Operator(operator), operator.len())
        };
        self.push(kind);
        self.at += length;
        Ok(())
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push_data(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Kind::Data(text.to_owned()));
        }
    }

    fn push(&mut self, kind: Kind) {
        let line = self.line_here() as u32;
        self.tokens.push(Token { kind, line });
    }

    fn line_here(&mut self) -> usize {
        let passed = self.source[self.counted..self.at].bytes().filter(|&byte| byte == b'\n').count();
        self.line += passed as u32;
        self.counted = self.at;
        self.line as usize
    }
}

fn find_open(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1))
        .find(|&at| bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))
}

fn sign(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'-') => "-",
        Some(b'+') => "+",
        _ => "",
    }
}

/// Returns the length of `{% raw %}` if the text begins with it; the line end behind it is text.
fn raw_begin(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start_matches(is_space);
    let rest = rest.strip_prefix("raw")?.trim_start_matches(is_space);
    let rest = match rest.strip_prefix("-%}") {
        Some(rest) => rest.trim_start_matches(is_space),
        None => rest.strip_prefix("%}")?,
    };
    Some(text.len() - rest.len())
}

/// Returns the length of `{% endraw %}` if the text begins with it, and the sign at its end.
fn raw_end(text: &str) -> Option<(usize, &'static str)> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start_matches(is_space);
    let rest = rest.strip_prefix("endraw")?.trim_start_matches(is_space);
    let sign = sign(rest);
    let rest = rest[sign.len()..].strip_prefix("%}")?;
    Some((text.len() - rest.len(), sign))
}

/// Returns the length of a string literal with its quotes.
fn text_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == bytes[0] => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn number(text: &str, after_dot: bool) -> Result<(Kind, usize), String> {
    let digits = |from: usize| run(text, from, false, |byte| byte.is_ascii_digit());
    let whole = digits(0);
    if !after_dot {
        let mut end = whole;
        if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if text[end..].starts_with(['e', 'E']) {
            let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        if end > whole {
            let value = text[..end].replace('_', "").parse();
            return Ok((Kind::Float(value.map_err(|_| "a number is not valid".to_owned())?), end));
        }
    }
    let bytes = text.as_bytes();
    let (radix, skip) = match bytes.get(1).map(u8::to_ascii_lowercase) {
        Some(b'x') if bytes[0] == b'0' => (16, 2),
        Some(b'o') if bytes[0] == b'0' => (8, 2),
        Some(b'b') if bytes[0] == b'0' => (2, 2),
        _ => (10, 0),
    };
    let end = if radix == 10 && bytes[0] == b'0' {
        // As in Python, a number does not begin with a zero, unless it is zero.
        run(text, 0, false, |byte| byte == b'0')
    } else {
        run(text, skip, skip > 0, |byte| char::from(byte).is_digit(radix))
    };
    if end == skip {
        return Ok((Kind::Int(0), 1));
    }
    let value = i128::from_str_radix(&text[skip..end].replace('_', ""), radix);
    Ok((Kind::Int(value.map_err(|_| "a number is larger than 128 bits".to_owned())?), end))
}

/// Returns the end of a run of digits, between which single underscores may stand.
fn run(text: &str, from: usize, underscore_first: bool, is_digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        let joined = bytes[at] == b'_' && bytes.get(at + 1).is_some_and(|&byte| is_digit(byte));
        if !is_digit(bytes[at]) && !(joined && (at > from || underscore_first)) {
            break;
        }
        at += 1;
    }
    at
}

/// White space as Python's `\s` has it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Longest first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn data(source: &str) -> Vec<String> {
        let data = |token: Token| match token.kind {
            Kind::Data(text) => Some(text),
            _ => None,
        };
        tokens(source).unwrap().into_iter().filter_map(data).collect()
    }

    #[test]
    fn line_ends_are_one_character_and_the_last_is_dropped() {
        assert_eq!(data("a\r\nb\rc\r\n"), ["a\nb\nc"]);
        assert_eq!(data("a\n\n"), ["a\n"]);
    }

    #[test]
    fn block_tags_take_their_line_and_signs_change_that() {
        assert_eq!(data("a\n  {% x %}\nb"), ["a\n", "b"]);
        assert_eq!(data("a\n  {%+ x +%}\nb"), ["a\n  ", "\nb"]);
        assert_eq!(data("a\n  {%- x -%}\n b"), ["a", "b"]);
        assert_eq!(data("a\n  {{ x }}\nb"), ["a\n  ", "\nb"]);
        assert_eq!(data("  {# x #}\n  {# y #}z"), ["z"]);
        assert_eq!(data("{% raw %}\n {{ x }} {% endraw %}\ny"), ["\n {{ x }} ", "y"]);
    }

    #[test]
    fn tokens_know_their_lines() {
        let lines: Vec<u32> =
            tokens("a\n{{\n b }}\n{% c %}").unwrap().iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 3, 3, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn numbers_are_those_of_python() {
        let kinds = |source: &str| -> Vec<Kind> {
            tokens(&format!("{{{{ {source} }}}}")).unwrap().into_iter().map(|token| token.kind).collect()
        };
        assert_eq!(kinds("1_000")[1], Kind::Int(1000));
        assert_eq!(kinds("0x_ff")[1], Kind::Int(255));
        assert_eq!(kinds("1.5e3")[1], Kind::Float(1500.0));
        assert_eq!(kinds("1e-2")[1], Kind::Float(0.01));
        assert_eq!(kinds("007")[1..3], [Kind::Int(0), Kind::Int(7)]);
        assert_eq!(kinds("x.1.2")[3], Kind::Int(1));
    }
}
