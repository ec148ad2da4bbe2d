//! Lines of code, comments and nothing.
//!
//! One pass over the bytes: only those that can begin or end something are looked at. A line is code if anything on it
//! stands outside comments.

use std::ops::AddAssign;

use memchr::memchr;

use super::language::{Content, Language, Syntax};

/// How many lines there are of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Lines with code.
    pub code: u64,
    /// Lines with comments alone.
    pub comments: u64,
    /// Empty lines, and those of spaces.
    pub blank: u64,
}

impl LineCount {
    /// Returns the number of lines that are not empty.
    pub fn filled(self) -> u64 {
        self.code + self.comments
    }
}

impl AddAssign for LineCount {
    fn add_assign(&mut self, other: Self) {
        self.code += other.code;
        self.comments += other.comments;
        self.blank += other.blank;
    }
}

/// Where a byte stands.
#[derive(Clone, Copy)]
enum State {
    Code,
    /// In the comment that the row of the syntax describes, at this depth.
    Comment(usize, u32),
    /// In a text that ends so.
    Quote {
        end: &'static str,
        is_raw: bool,
        is_long: bool,
    },
}

/// Counts the lines of a file.
pub fn count(language: &Language, bytes: &[u8]) -> LineCount {
    let syntax = &language.syntax;
    let notable = notable(syntax);
    let mut count = LineCount::default();
    let mut state = State::Code;
    let mut rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            count.blank += 1;
        } else if language.content == Content::Prose {
            count.comments += 1;
        } else if has_code(line, syntax, &notable, &mut state) {
            count.code += 1;
        } else {
            count.comments += 1;
        }
    }
    count
}

/// Reads one line, and tells whether anything stands outside comments.
fn has_code(line: &[u8], syntax: &Syntax, notable: &[bool; 256], state: &mut State) -> bool {
    let mut has_code = false;
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        at += match *state {
            State::Code => {
                let plain = rest.iter().position(|&byte| notable[usize::from(byte)]).unwrap_or(rest.len());
                has_code |= !rest[..plain].trim_ascii().is_empty();
                match step(&rest[plain..], syntax, state) {
                    // The rest of the line is a comment.
                    None => break,
                    Some(length) => {
                        has_code |= length > 0 && !matches!(state, State::Comment(..));
                        plain + length
                    }
                }
            }
            State::Comment(row, depth) => {
                let (begin, end) = syntax.block[row];
                if rest.starts_with(end.as_bytes()) {
                    *state = if depth > 1 { State::Comment(row, depth - 1) } else { State::Code };
                    end.len()
                } else if syntax.nested && rest.starts_with(begin.as_bytes()) {
                    *state = State::Comment(row, depth + 1);
                    begin.len()
                } else {
                    1
                }
            }
            State::Quote { end, is_raw, .. } => {
                has_code = true;
                if !is_raw && rest[0] == b'\\' {
                    2
                } else if rest.starts_with(end.as_bytes()) {
                    *state = State::Code;
                    end.len()
                } else {
                    1
                }
            }
        };
    }
    if let State::Quote { is_long: false, .. } = state {
        *state = State::Code;
    }
    has_code
}

/// Looks at what begins here, in code. Returns its length, or `None` if it is a comment up to the end of the line.
fn step(rest: &[u8], syntax: &Syntax, state: &mut State) -> Option<usize> {
    if rest.is_empty() {
        return Some(0);
    }
    let begins = |text: &str| rest.starts_with(text.as_bytes());
    if let Some(row) = syntax.block.iter().position(|(begin, _)| begins(begin)) {
        *state = State::Comment(row, 1);
        return Some(syntax.block[row].0.len());
    }
    if syntax.line.iter().any(|begin| begins(begin)) {
        return None;
    }
    let quote = |end, is_raw, is_long| State::Quote { end, is_raw, is_long };
    if let Some((begin, end)) = syntax.raw_quotes.iter().find(|(begin, _)| begins(begin)) {
        *state = quote(end, true, true);
        return Some(begin.len());
    }
    // A quotation mark as a character.
    if begins("'\"'") && !syntax.quotes.contains(&"'") {
        return Some(3);
    }
    if let Some((begin, end)) = syntax.long_quotes.iter().find(|(begin, _)| begins(begin)) {
        *state = quote(end, false, true);
        return Some(begin.len());
    }
    if let Some(mark) = syntax.quotes.iter().find(|mark| begins(mark)) {
        *state = quote(mark, false, false);
        return Some(mark.len());
    }
    Some(if rest[0] == b'\\' { 2 } else { 1 })
}

/// Marks the bytes with which something can begin.
fn notable(syntax: &Syntax) -> [bool; 256] {
    let mut notable = [false; 256];
    let pairs = [syntax.block, syntax.long_quotes, syntax.raw_quotes];
    let begins = pairs.into_iter().flatten().map(|(begin, _)| begin);
    for text in begins.chain(syntax.line).chain(syntax.quotes).chain(&["\\", "'"]) {
        notable[usize::from(text.as_bytes()[0])] = true;
    }
    notable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts code, comments and blank lines.
    fn counted(file: &str, text: &str) -> (u64, u64, u64) {
        let count = count(Language::by_name(file).unwrap(), text.as_bytes());
        (count.code, count.comments, count.blank)
    }

    #[test]
    fn code_comments_and_blank_lines_are_told_apart() {
        assert_eq!(counted("a.rs", "//! x\n\nfn f() {} // y\n/* a\n\n b */\n/* c */ x\n"), (2, 3, 2));
        assert_eq!(counted("a.py", "# x\nx = 1  # y\n\n"), (1, 1, 1));
        assert_eq!(counted("a.html", "<!-- a\nb -->\n<p>\n"), (1, 2, 0));
        assert_eq!(counted("a.md", "# x\n\ny\n"), (0, 2, 1));
        assert_eq!(counted("a.json", "{\n}"), (2, 0, 0));
        assert_eq!(counted("a.rs", ""), (0, 0, 0));
    }

    #[test]
    fn comments_nest_only_where_the_language_says_so() {
        assert_eq!(counted("a.rs", "/* /* */\nx\n*/\ny"), (1, 3, 0));
        assert_eq!(counted("a.c", "/* /* */\nx\n"), (1, 1, 0));
    }

    #[test]
    fn comments_in_texts_are_none() {
        assert_eq!(counted("a.rs", "let s = \"/*\";\nlet t = 1;\n"), (2, 0, 0));
        assert_eq!(counted("a.rs", "let s = r#\"\\\"#;\n// x\n"), (1, 1, 0));
        assert_eq!(counted("a.rs", "let c = '\"';\n// x\n"), (1, 1, 0));
        assert_eq!(counted("a.rs", "let s = \"a\n// b\n\";\n"), (3, 0, 0));
        assert_eq!(counted("a.c", "char c = '\"';\n// x\n"), (1, 1, 0));
        assert_eq!(counted("a.js", "const s = `\n// x\n`;\n"), (3, 0, 0));
        assert_eq!(counted("a.py", "\"\"\"\n# x\n\"\"\"\n# y"), (3, 1, 0));
        assert_eq!(counted("a.c", "s = \"\\\"/*\";\nx;\n"), (2, 0, 0));
    }

    #[test]
    fn windows_line_ends_and_byte_order_marks_are_no_lines() {
        assert_eq!(counted("a.c", "\u{feff}// x\r\n\r\nint y;\r\n"), (1, 1, 1));
    }
}
