//! llama.cpp's grammar notation, written as Lark.
//!
//! The two differ in little: how rules are assigned, which names they may have, that character classes are regular
//! expressions, and that the first rule is called `start` instead of `root`. Source: `grammars/README.md` of llama.cpp.

use std::fmt::Write;

use super::error::GrammarError;

/// Translates a grammar.
///
/// # Errors
///
/// Names the line that is not understood.
pub(super) fn to_lark(source: &str) -> Result<String, GrammarError> {
    let mut translator =
        Translator { rest: source, line: 1, lark: String::from("%llguidance {}\n"), depth: 0 };
    translator.rules()?;
    if !translator.lark.contains("\nstart:") {
        return Err(GrammarError::new("it has no rule `root`"));
    }
    Ok(translator.lark)
}

struct Translator<'a> {
    rest: &'a str,
    line: usize,
    lark: String,
    depth: usize,
}

impl Translator<'_> {
    fn rules(&mut self) -> Result<(), GrammarError> {
        loop {
            self.skip(true);
            if self.rest.is_empty() {
                return Ok(());
            }
            let name = self.name().ok_or_else(|| self.problem("a rule begins with its name"))?;
            self.skip(false);
            if !self.take("::=") {
                return Err(self.problem("`::=` is missing behind the name of a rule"));
            }
            let _ = write!(self.lark, "\n{name}:");
            self.skip(true);
            self.alternatives()?;
            self.lark.push('\n');
        }
    }

    /// Reads alternatives up to the end of a rule or of a group.
    fn alternatives(&mut self) -> Result<(), GrammarError> {
        let mut is_empty = true;
        loop {
            // Within a group, and behind a bar, a rule goes on over lines.
            self.skip(self.depth > 0);
            let Some(next) = self.rest.chars().next() else { break };
            match next {
                '\n' | ')' => break,
                '|' => {
                    if is_empty {
                        self.lark.push_str(" \"\"");
                    }
                    self.advance(1);
                    self.lark.push_str(" |");
                    self.skip(true);
                    is_empty = true;
                }
                _ => {
                    self.item(next)?;
                    is_empty = false;
                }
            }
        }
        if is_empty {
            self.lark.push_str(" \"\"");
        }
        Ok(())
    }

    fn item(&mut self, first: char) -> Result<(), GrammarError> {
        self.lark.push(' ');
        match first {
            '"' => self.text()?,
            '[' => self.class()?,
            '.' => {
                self.advance(1);
                self.lark.push_str("/(?s:.)/");
            }
            '(' => {
                if self.depth == DEPTH_MAX {
                    return Err(self.problem("groups are nested too deeply"));
                }
                self.advance(1);
                self.lark.push('(');
                self.depth += 1;
                self.alternatives()?;
                self.depth -= 1;
                if !self.take(")") {
                    return Err(self.problem("a group is not closed"));
                }
                self.lark.push(')');
            }
            _ => {
                let name =
                    self.name().ok_or_else(|| self.problem(&format!("{first:?} is not understood")))?;
                self.lark.push_str(&name);
            }
        }
        self.repetition()
    }

    fn text(&mut self) -> Result<(), GrammarError> {
        let mut text = String::new();
        self.advance(1);
        loop {
            let next = self.rest.chars().next().filter(|&next| next != '\n');
            match next.ok_or_else(|| self.problem("a text is not closed"))? {
                '"' => break,
                '\\' => text.push(self.escape()?),
                other => {
                    text.push(other);
                    self.advance(other.len_utf8());
                }
            }
        }
        self.advance(1);
        self.lark.push_str(&serde_json::Value::from(text).to_string());
        Ok(())
    }

    fn class(&mut self) -> Result<(), GrammarError> {
        self.advance(1);
        self.lark.push_str("/[");
        if self.take("^") {
            self.lark.push('^');
        }
        loop {
            let next = self.rest.chars().next().filter(|&next| next != '\n');
            match next.ok_or_else(|| self.problem("a class of characters is not closed"))? {
                ']' => break,
                '-' => {
                    self.advance(1);
                    self.lark.push('-');
                }
                '\\' => {
                    let character = self.escape()?;
                    let _ = write!(self.lark, "\\x{{{:x}}}", u32::from(character));
                }
                other => {
                    self.advance(other.len_utf8());
                    let _ = if other.is_ascii_alphanumeric() {
                        write!(self.lark, "{other}")
                    } else {
                        write!(self.lark, "\\x{{{:x}}}", u32::from(other))
                    };
                }
            }
        }
        self.advance(1);
        self.lark.push_str("]/");
        Ok(())
    }

    /// Reads an escape of a text or a class.
    fn escape(&mut self) -> Result<char, GrammarError> {
        self.advance(1);
        let kind = self.rest.chars().next().ok_or_else(|| self.problem("an escape is not complete"))?;
        self.advance(kind.len_utf8());
        let digits = match kind {
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other if other.is_ascii_alphanumeric() => {
                return Err(self.problem(&format!("the escape \\{other} is not known")));
            }
            other => return Ok(other),
        };
        let code = self.rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        self.advance(digits.min(self.rest.len()));
        code.and_then(char::from_u32).ok_or_else(|| self.problem("an escape is no character"))
    }

    fn repetition(&mut self) -> Result<(), GrammarError> {
        let operator = self.rest.chars().next().filter(|next| "*+?".contains(*next));
        if let Some(operator) = operator {
            self.advance(1);
            self.lark.push(operator);
            return Ok(());
        }
        if !self.take("{") {
            return Ok(());
        }
        let end = self.rest.find('}').ok_or_else(|| self.problem("a repetition is not closed"))?;
        let count = &self.rest[..end];
        let is_count = |text: &str| text.trim().parse::<u16>().is_ok();
        let is_valid = match count.split_once(',') {
            Some((least, most)) => is_count(least) && (most.trim().is_empty() || is_count(most)),
            None => is_count(count),
        };
        if !is_valid {
            return Err(self.problem("a repetition is {n}, {n,} or {n,m}"));
        }
        let _ = write!(self.lark, "{{{}}}", count.replace(' ', ""));
        self.advance(end + 1);
        Ok(())
    }

    /// Reads the name of a rule and writes it as Lark wants names.
    fn name(&mut self) -> Option<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        if name.is_empty() {
            return None;
        }
        // Lark takes capitals for terminals, and `start` is the first rule. Two names may not become one.
        let lark = match name {
            "root" => "start".to_owned(),
            _ => name.chars().fold(String::from("r_"), |mut lark, c| {
                match c {
                    '-' => lark.push_str("_d_"),
                    c if c.is_ascii_uppercase() => {
                        let _ = write!(lark, "_u_{}", c.to_ascii_lowercase());
                    }
                    c => lark.push(c),
                }
                lark
            }),
        };
        self.advance(end);
        Some(lark)
    }

    /// Skips white space and comments; over lines too, where a rule does not end with its line.
    fn skip(&mut self, lines: bool) {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '#' => self.advance(self.rest.find('\n').unwrap_or(self.rest.len())),
                '\n' if !lines => return,
                next if next.is_whitespace() => self.advance(next.len_utf8()),
                _ => return,
            }
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest.starts_with(text);
        if is_next {
            self.advance(text.len());
        }
        is_next
    }

    fn advance(&mut self, bytes: usize) {
        let bytes = self.rest.ceil_char_boundary(bytes);
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    fn problem(&self, problem: &str) -> GrammarError {
        GrammarError::new(format!("line {}: {problem}", self.line))
    }
}

const DEPTH_MAX: usize = 64;
