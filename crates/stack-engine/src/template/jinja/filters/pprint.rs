//! The filter `pprint`: Python's `pprint.pformat`, lines of up to 80 characters.

use std::cmp::Ordering;

use super::super::arguments::Args;
use super::super::eval::within;
use super::super::fault::Outcome;
use super::super::interpreter::Interpreter;
use super::super::lexer::is_space;
use super::super::text::{length, split_lines};
use super::super::value::{Seq, Value};

pub(super) fn pprint(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("pprint", 0)?;
    let sorted = sorted(this, value)?;
    let mut printer = Printer { this, out: String::new() };
    printer.value(&sorted, 0, 0, 1)?;
    Ok(Value::text(printer.out))
}

/// Returns a value whose dictionaries are sorted by their keys.
fn sorted(this: &mut Interpreter<'_>, value: &Value) -> Outcome<Value> {
    this.budget.step()?;
    let items = |this: &mut Interpreter<'_>, seq: &Seq| -> Outcome<Vec<Value>> {
        seq.items.iter().map(|item| sorted(this, item)).collect()
    };
    match value {
        Value::List(seq) => Value::list(items(this, seq)?),
        // The pairs of `groupby` are printed as they are.
        Value::Tuple(seq) if !seq.is_group => Value::tuple(items(this, seq)?),
        Value::Dict(dict) => {
            let mut pairs = Vec::with_capacity(dict.len());
            for (key, value) in &dict.pairs {
                pairs.push((sorted(this, key)?, sorted(this, value)?));
            }
            this.budget.pay_items(pairs.len() * 4)?;
            // Keys that have no order are ordered by their types.
            let mut before =
                |a: &Value, b: &Value| this.less(a, b).unwrap_or_else(|_| a.type_name() < b.type_name());
            super::super::compare::merge_sort(&mut pairs, &mut |(a, _), (b, _)| {
                if before(b, a) { Ordering::Greater } else { Ordering::Less }
            });
            Value::dict(pairs)
        }
        other => Ok(other.clone()),
    }
}

struct Printer<'a, 'b> {
    this: &'a mut Interpreter<'b>,
    out: String,
}

impl Printer<'_, '_> {
    /// Writes a value that begins in a column; so many characters follow it in its last line.
    fn value(&mut self, value: &Value, column: usize, following: usize, level: usize) -> Outcome<()> {
        let whole = self.this.repr_of(value)?;
        within(self.out.len())?;
        if length(&whole) as i128 <= WIDTH as i128 - column as i128 - following as i128 {
            self.out.push_str(&whole);
            return Ok(());
        }
        match value {
            Value::List(seq) => self.items("[", seq, "]", column, following, level),
            Value::Tuple(seq) if !seq.is_group => {
                self.items("(", seq, if seq.items.len() == 1 { ",)" } else { ")" }, column, following, level)
            }
            Value::Dict(dict) => {
                self.out.push('{');
                for (index, (key, value)) in dict.pairs.iter().enumerate() {
                    if index > 0 {
                        self.new_line(",", column + 1);
                    }
                    let key = self.this.repr_of(key)?;
                    self.out.push_str(&key);
                    self.out.push_str(": ");
                    let following = if index + 1 == dict.len() { following + 1 } else { 1 };
                    self.value(value, column + 1 + length(&key) + 2, following, level + 1)?;
                }
                self.out.push('}');
                Ok(())
            }
            Value::Text(text) if !text.safe && !text.text.is_empty() => {
                self.text(&text.text, column, following, level)
            }
            _ => {
                self.out.push_str(&whole);
                Ok(())
            }
        }
    }

    fn items(
        &mut self,
        open: &str,
        seq: &Seq,
        close: &str,
        column: usize,
        following: usize,
        level: usize,
    ) -> Outcome<()> {
        self.out.push_str(open);
        for (index, item) in seq.items.iter().enumerate() {
            if index > 0 {
                self.new_line(",", column + 1);
            }
            let following = if index + 1 == seq.items.len() { following + close.len() } else { 1 };
            self.value(item, column + 1, following, level + 1)?;
        }
        self.out.push_str(close);
        Ok(())
    }

    /// Writes a text in pieces: a line each, and long lines word by word.
    fn text(&mut self, text: &str, column: usize, following: usize, level: usize) -> Outcome<()> {
        let outermost = usize::from(level == 1);
        let (column, following) = (column + outermost, following + outermost);
        let width = WIDTH as i128 - column as i128;
        let mut pieces = Vec::new();
        let lines = split_lines(text, true);
        for (index, line) in lines.iter().enumerate() {
            let last_line = index + 1 == lines.len();
            let room = |last: bool| if last { width - following as i128 } else { width };
            let whole = self.quoted(line)?;
            if length(&whole) as i128 <= room(last_line) {
                pieces.push(whole);
                continue;
            }
            let mut current = String::new();
            let words = words(line);
            for (index, word) in words.iter().enumerate() {
                let candidate = format!("{current}{word}");
                let last = last_line && index + 1 == words.len();
                if length(&self.quoted(&candidate)?) as i128 <= room(last) {
                    current = candidate;
                    continue;
                }
                if !current.is_empty() {
                    pieces.push(self.quoted(&current)?);
                }
                (*word).clone_into(&mut current);
            }
            if !current.is_empty() {
                pieces.push(self.quoted(&current)?);
            }
        }
        let bracketed = outermost > 0 && pieces.len() > 1;
        self.out.push_str(if bracketed { "(" } else { "" });
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.new_line("", column);
            }
            self.out.push_str(piece);
        }
        self.out.push_str(if bracketed { ")" } else { "" });
        Ok(())
    }

    fn quoted(&mut self, text: &str) -> Outcome<String> {
        self.this.repr_of(&Value::text(text))
    }

    fn new_line(&mut self, before: &str, column: usize) {
        self.out.push_str(before);
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', column));
    }
}

/// Splits a line into words, each with the white space behind it.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let blank = rest.find(is_space).unwrap_or(rest.len());
        let end = rest[blank..].find(|c| !is_space(c)).map_or(rest.len(), |end| blank + end);
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

const WIDTH: usize = 80;
