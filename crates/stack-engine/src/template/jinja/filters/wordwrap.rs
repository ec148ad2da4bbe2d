//! The filter `wordwrap`, which is Python's `textwrap`.

use std::sync::OnceLock;

use fancy_regex::Regex;

use super::super::arguments::{Args, int_or, text};
use super::super::eval::within;
use super::super::fault::{Fault, Outcome};
use super::super::interpreter::Interpreter;
use super::super::text::{byte_of, length, split_lines};
use super::super::value::{Str, Value};

/// `wordwrap(width=79, break_long_words=True, wrapstring='\n', break_on_hyphens=True)`
pub(super) fn wordwrap(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let names = ["width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [width, long, wrap, hyphens] = args.bind("wordwrap", names, 0)?;
    let width = int_or(width.as_ref(), 79)?;
    let is_set = |flag: Option<Value>| flag.is_none_or(|flag| flag.is_true());
    let (long, hyphens) = (is_set(long), is_set(hyphens));
    let wrap = wrap.filter(|wrap| !matches!(wrap, Value::None)).unwrap_or_else(|| Value::text("\n"));
    let Str { text: wrap, safe, .. } = text(&wrap)?;
    let whole = text(value)?;
    this.budget.pay_text(whole.text.len().saturating_mul(8))?;
    let mut lines = Vec::new();
    for paragraph in split_lines(&whole.text, false) {
        let width = usize::try_from(width).ok().filter(|width| *width > 0);
        let width = width.ok_or_else(|| Fault::failed("the width of wordwrap is not positive"))?;
        let before = lines.len();
        wrap_paragraph(chunks(paragraph, hyphens)?, width, long, hyphens, &mut lines);
        if lines.len() == before {
            lines.push(String::new());
        }
        let bytes = lines[before..].iter().map(|line| line.len() + wrap.len()).sum();
        this.budget.pay_text(bytes)?;
    }
    within(lines.iter().map(|line| line.len() + wrap.len()).sum())?;
    let kind = Str { safe: *safe, ..whole.clone() };
    Ok(this.respelled(&kind, lines.join(wrap)))
}

fn wrap_paragraph(mut chunks: Vec<&str>, width: usize, long: bool, hyphens: bool, lines: &mut Vec<String>) {
    chunks.reverse();
    let first = lines.len();
    while let Some(next) = chunks.last() {
        // White space at the start of a line is dropped, except in the first.
        if lines.len() > first && is_blank(next) {
            chunks.pop();
        }
        let mut line: Vec<&str> = Vec::new();
        let mut used = 0;
        while let Some(next) = chunks.last() {
            if used + length(next) > width {
                break;
            }
            used += length(next);
            line.extend(chunks.pop());
        }
        if let Some(next) = chunks.last_mut()
            && length(next) > width
        {
            if long {
                let room = width - used;
                let mut end = byte_of(next, room);
                if hyphens && let Some(hyphen) = last_hyphen(&next[..end]) {
                    end = hyphen;
                }
                line.push(&next[..end]);
                *next = &next[end..];
            } else if line.is_empty() {
                line.extend(chunks.pop());
            }
        }
        if line.last().is_some_and(|last| is_blank(last)) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat());
        }
    }
}

/// Returns the end of the last hyphen that has something other than hyphens before it.
fn last_hyphen(text: &str) -> Option<usize> {
    let hyphen = text.rfind('-').filter(|hyphen| *hyphen > 0)?;
    text[..hyphen].chars().any(|c| c != '-').then_some(hyphen + 1)
}

fn is_blank(chunk: &str) -> bool {
    chunk.trim_matches(super::super::lexer::is_space).is_empty()
}

/// Splits a text where lines may end.
fn chunks(text: &str, hyphens: bool) -> Outcome<Vec<&str>> {
    static HYPHENATED: OnceLock<Regex> = OnceLock::new();
    static PLAIN: OnceLock<Regex> = OnceLock::new();
    let regex = if hyphens {
        HYPHENATED.get_or_init(|| Regex::new(WORDS).expect("the pattern is valid"))
    } else {
        PLAIN.get_or_init(|| Regex::new(r"[\t\n\x0b\x0c\r ]+").expect("the pattern is valid"))
    };
    let mut chunks = Vec::new();
    let mut end = 0;
    for found in regex.find_iter(text) {
        let found = found.map_err(|_| Fault::exhausted("a text is too hard to wrap"))?;
        chunks.push(&text[end..found.start()]);
        chunks.push(found.as_str());
        end = found.end();
    }
    chunks.push(&text[end..]);
    chunks.retain(|chunk| !chunk.is_empty());
    Ok(chunks)
}

/// White space, a dash between words, or a word: up to a hyphen, its end, or a dash.
const WORDS: &str = r#"(?x)
    [\t\n\x0b\x0c\r\ ]+
    | (?<=[\w!"'&.,?]) -{2,} (?=\w)
    | [^\t\n\x0b\x0c\r\ ]+? (?:
          -(?: (?<=[^\d\W]{2}-) | (?<=[^\d\W]-[\w!"'&.,?]-)) (?= [^\d\W] -? [^\d\W])
        | (?=[\t\n\x0b\x0c\r\ ]|\z)
        | (?<=[\w!"'&.,?]) (?=-{2,}\w)
      )"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        wrap_paragraph(chunks(text, true).unwrap(), width, true, true, &mut lines);
        lines
    }

    #[test]
    fn lines_break_where_python_breaks_them() {
        assert_eq!(
            wrapped("Hello there -- you goof-ball, use the -b option!", 12),
            ["Hello there", "-- you goof-", "ball, use", "the -b", "option!"]
        );
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("  indented", 20), ["  indented"]);
    }
}
