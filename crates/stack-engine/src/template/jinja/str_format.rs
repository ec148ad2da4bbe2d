//! `str.format`: `'{0} has {count:>4}'.format(name, count=3)`.

use super::arguments::Args;
use super::fault::{Fault, Outcome};
use super::format_spec::Spec;
use super::interpreter::Interpreter;
use super::joined::Joined;
use super::markup::{escape, escape_all};
use super::percent::ascii;
use super::value::{Str, Value};

/// Formats a text.
pub(super) fn format(this: &mut Interpreter<'_>, format: &Str, args: Args) -> Outcome<Value> {
    let mut formatter = Formatter { this, args, next: Some(0), safe: format.safe };
    let out = formatter.run(&format.text, format.from_caller, 2)?;
    Ok(Value::Text(Str { safe: format.safe, ..out }))
}

struct Formatter<'a, 'b> {
    this: &'a mut Interpreter<'b>,
    args: Args,
    /// The number of the next field without a name; none once fields have been numbered.
    next: Option<usize>,
    safe: bool,
}

impl Formatter<'_, '_> {
    fn run(&mut self, format: &str, from_caller: bool, depth: usize) -> Outcome<Str> {
        let mut out = Joined::default();
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            out.push(&rest[..at], from_caller, &mut self.this.budget)?;
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                out.push(brace, from_caller, &mut self.this.budget)?;
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err(Fault::failed("a format has a single }"));
            }
            if depth == 0 {
                return Err(Fault::failed("the fields of a format are nested too deep"));
            }
            let end = field_end(rest).ok_or_else(|| Fault::failed("a field of a format is not closed"))?;
            let (text, from_caller) = self.field(&rest[..end], depth)?;
            out.push(&text, from_caller, &mut self.this.budget)?;
            rest = &rest[end + 1..];
        }
        out.push(rest, from_caller, &mut self.this.budget)?;
        Ok(out.finish(self.this.input))
    }

    /// Formats one field: `name[!conversion][:specification]`.
    fn field(&mut self, field: &str, depth: usize) -> Outcome<(String, bool)> {
        let mut in_brackets = false;
        let end = field.find(|c: char| {
            in_brackets = (in_brackets || c == '[') && c != ']';
            !in_brackets && matches!(c, '!' | ':')
        });
        let (name, behind) = field.split_at(end.unwrap_or(field.len()));
        let value = self.value(name)?;
        let from_caller = value.is_from_caller();
        let (conversion, spec) = match behind.strip_prefix('!') {
            Some(behind) => {
                let mut chars = behind.chars();
                let conversion = chars.next().ok_or_else(|| Fault::failed("a field lacks its conversion"))?;
                let rest = chars.as_str();
                let spec = if rest.is_empty() { Some("") } else { rest.strip_prefix(':') };
                let spec = spec.ok_or_else(|| Fault::failed("a conversion is one character"))?;
                (Some(conversion), spec)
            }
            None => (None, behind.strip_prefix(':').unwrap_or("")),
        };
        let value = match conversion {
            None => value,
            Some('s') => Value::text(self.this.str_of(&value)?),
            Some('r') => Value::text(self.this.repr_of(&value)?),
            Some('a') => Value::text(ascii(&self.this.repr_of(&value)?)),
            Some(other) => return Err(Fault::failed(format!("there is no conversion {other:?}"))),
        };
        let spec = self.run(spec, false, depth - 1)?;
        let text = self.show(&value, &spec.text)?;
        // A precision may have cut it.
        let text = match self.this.input.guard {
            Some((control, marker)) if from_caller && !spec.text.is_empty() => {
                control.mark_edges(&text, marker).into_owned()
            }
            _ => text,
        };
        Ok((text, from_caller))
    }

    /// Finds a value: `0`, `name`, `0.attribute`, `name[item]`.
    fn value(&mut self, name: &str) -> Outcome<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        let index = if first.is_empty() {
            if !name.is_empty() {
                return Err(Fault::failed("a field begins with the name or number of an argument"));
            }
            let next = self.next.ok_or_else(|| Fault::failed("a format mixes numbered and other fields"))?;
            self.next = Some(next + 1);
            Some(next)
        } else if first.bytes().all(|byte| byte.is_ascii_digit()) {
            if self.next.is_some_and(|next| next > 0) {
                return Err(Fault::failed("a format mixes numbered and other fields"));
            }
            self.next = None;
            first.parse().ok()
        } else {
            None
        };
        let missing = || Fault::failed(format!("the format has no argument {first:?}"));
        let named = || self.args.named.iter().find(|(known, _)| **known == *first).map(|(_, value)| value);
        let found = index.map_or_else(named, |index| self.args.positional.get(index));
        let mut value = found.cloned().ok_or_else(missing)?;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                value = self.this.attribute(&value, &behind[..end].into())?;
                rest = &behind[end..];
            } else {
                let inside = rest.strip_prefix('[').unwrap_or(rest);
                let end = inside.find(']').ok_or_else(|| Fault::failed("a field lacks its ]"))?;
                let item = &inside[..end];
                let is_number = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit());
                let item = match item.parse::<i128>() {
                    Ok(number) if is_number => Value::Int(number),
                    _ => Value::text(item),
                };
                value = self.this.item(&value, &item)?;
                rest = &inside[end + 1..];
            }
        }
        Ok(value)
    }

    fn show(&mut self, value: &Value, spec: &str) -> Outcome<String> {
        let text = match value {
            Value::Text(text) if text.safe && self.safe && !spec.is_empty() => {
                return Err(Fault::failed("safe texts take no format"));
            }
            Value::Text(text) if self.safe && text.safe => return Ok(escape(text).to_string()),
            Value::Text(text) => Spec::parse(spec)?.text(&text.text)?,
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => Spec::parse(spec)?.number(value)?,
            other if spec.is_empty() => self.this.str_of(other)?.to_string(),
            other => return Err(other.refuse("takes no format")),
        };
        Ok(if self.safe { escape_all(&text) } else { text })
    }
}

/// Returns where a field ends; fields may lie in it.
fn field_end(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
