//! The operator `%` of texts: `'%s has %d' % (name, count)`.

use std::rc::Rc;
use std::str::Chars;

use super::fault::{Fault, Outcome};
use super::format_spec::{Spec, WIDTH_MAX, float_digits, too_wide};
use super::interpreter::Interpreter;
use super::joined::Joined;
use super::markup::{escape, escape_all};
use super::numbers::{Number, float_to_int};
use super::value::{Str, Value};
use crate::template::guard::is_marker;

/// Formats a text.
pub(super) fn format(this: &mut Interpreter<'_>, format: &Str, args: &Value) -> Outcome<Value> {
    let mut arguments = FormatArguments::new(args);
    let mut out = Joined::default();
    let mut buffer = [0; 4];
    let mut rest = format.text.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c.encode_utf8(&mut buffer), format.from_caller, &mut this.budget)?;
            continue;
        }
        let directive = Directive::parse(&mut rest, &mut arguments)?;
        if directive.is_plain && directive.kind == '%' {
            out.push("%", format.from_caller, &mut this.budget)?;
            continue;
        }
        let value = match &directive.key {
            Some(key) => arguments.named(this, key)?,
            None => arguments.next()?,
        };
        let text = directive.show(this, &value, format.safe)?;
        out.push(&text, value.is_from_caller(), &mut this.budget)?;
    }
    if arguments.is_left() {
        return Err(Fault::failed("not all arguments of % are used"));
    }
    Ok(Value::Text(Str { safe: format.safe, ..out.finish(this.input) }))
}

/// Where the values come from: a tuple, a mapping, or one value.
struct FormatArguments<'a> {
    args: &'a Value,
    next: usize,
}

impl<'a> FormatArguments<'a> {
    fn new(args: &'a Value) -> Self {
        Self { args, next: 0 }
    }

    fn next(&mut self) -> Outcome<Value> {
        let value = match self.args {
            Value::Tuple(seq) => seq.items.get(self.next),
            other => Some(other).filter(|_| self.next == 0),
        };
        self.next += 1;
        value.cloned().ok_or_else(|| Fault::failed("% has fewer arguments than its format needs"))
    }

    fn named(&mut self, this: &mut Interpreter<'_>, key: &str) -> Outcome<Value> {
        let key = Value::text(key);
        match self.args {
            Value::Dict(dict) => {
                let found = dict.get(&key)?.cloned();
                found.ok_or_else(|| Fault::failed("% has no argument of that name"))
            }
            Value::Undefined(_) => this.item(self.args, &key),
            _ => Err(Fault::failed("% with names needs a mapping")),
        }
    }

    /// Returns whether values are left over, which is an error unless it is something with items.
    fn is_left(&self) -> bool {
        match self.args {
            Value::Tuple(seq) => self.next < seq.items.len(),
            Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_) => false,
            _ => self.next == 0,
        }
    }
}

/// `%[(key)][flags][width][.precision]type`
struct Directive {
    key: Option<String>,
    spec: Spec,
    left: bool,
    kind: char,
    /// Whether the type follows the sign at once.
    is_plain: bool,
}

impl Directive {
    fn parse(rest: &mut Chars<'_>, arguments: &mut FormatArguments<'_>) -> Outcome<Self> {
        let mut key = None;
        let before = rest.as_str().len();
        let mut c = rest.next().ok_or_else(incomplete)?;
        if c == '(' {
            let mut depth = 1;
            let mut name = String::new();
            loop {
                let c = rest.next().ok_or_else(incomplete)?;
                depth += i32::from(c == '(') - i32::from(c == ')');
                if depth == 0 {
                    break;
                }
                name.push(c);
            }
            key = Some(name);
            c = rest.next().ok_or_else(incomplete)?;
        }
        let mut spec = Spec::default();
        let mut left = false;
        loop {
            match c {
                '-' => left = true,
                '+' => spec.sign = Some('+'),
                ' ' => spec.sign = spec.sign.or(Some(' ')),
                '#' => spec.alternate = true,
                '0' => spec.zero = true,
                _ => break,
            }
            c = rest.next().ok_or_else(incomplete)?;
        }
        let width = number(&mut c, rest, arguments)?.unwrap_or(0);
        left |= width < 0;
        let mut precision = None;
        if c == '.' {
            c = rest.next().ok_or_else(incomplete)?;
            // A point alone means no digits.
            precision = Some(number(&mut c, rest, arguments)?.unwrap_or(0).max(0));
        }
        while matches!(c, 'h' | 'l' | 'L') {
            c = rest.next().ok_or_else(incomplete)?;
        }
        let within = |value: i128| {
            usize::try_from(value).ok().filter(|value| *value <= WIDTH_MAX).ok_or_else(too_wide)
        };
        spec.width = within(width.saturating_abs())?;
        spec.precision = precision.map(within).transpose()?;
        let is_plain = before - rest.as_str().len() == c.len_utf8();
        Ok(Self { key, spec, left, kind: c, is_plain })
    }

    fn show(&self, this: &mut Interpreter<'_>, value: &Value, safe: bool) -> Outcome<String> {
        let text = match self.kind {
            's' | 'r' | 'a' => {
                let text = match (self.kind, value) {
                    ('s', Value::Text(text)) if safe => escape(text).to_string(),
                    ('s', value) => {
                        let text = this.str_of(value)?;
                        if safe { escape_all(&text) } else { text.to_string() }
                    }
                    ('r', value) => this.repr_of(value)?,
                    (_, value) => ascii(&this.repr_of(value)?),
                };
                let end = self
                    .spec
                    .precision
                    .map_or(text.len(), |precision| super::text::byte_of(&text, precision));
                let part =
                    this.cut(&Str { text: text.as_str().into(), safe, from_caller: true }, &text[..end]);
                return Ok(
                    self.aligned(&part.as_text().map_or(text.as_str().into(), |part| part.text.clone()))
                );
            }
            'c' => {
                let c = match value {
                    Value::Text(text) => {
                        let mut chars = text.text.chars();
                        chars.next().filter(|_| chars.next().is_none())
                    }
                    other => other.as_int().and_then(|code| char::from_u32(u32::try_from(code).ok()?)),
                };
                let c = c.ok_or_else(|| value.refuse("is no single character"))?;
                return Ok(self.aligned(&c.to_string()));
            }
            'd' | 'i' | 'u' => self.int(value, true, 10)?,
            'x' | 'X' => self.int(value, false, 16)?,
            'o' => self.int(value, false, 8)?,
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = Number::of(value).ok_or_else(|| value.refuse("is no number"))?.to_float();
                let precision = self.spec.precision.unwrap_or(6);
                let digits = float_digits(number.abs(), self.kind, precision, self.spec.alternate);
                let at = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                let (whole, tail) = digits.split_at(at);
                let negative = number.is_sign_negative() && !number.is_nan();
                self.laid_out(negative, "", whole, tail)
            }
            other => return Err(Fault::failed(format!("% knows no format {other:?}"))),
        };
        Ok(text)
    }

    fn int(&self, value: &Value, cuts: bool, radix: u32) -> Outcome<String> {
        let number = match Number::of(value) {
            Some(Number::Int(value)) => value,
            Some(Number::Float(value)) if cuts => float_to_int(value)?,
            _ => return Err(value.refuse("is no integer")),
        };
        let magnitude = number.unsigned_abs();
        let (prefix, digits) = match (radix, self.kind) {
            (16, 'x') => ("0x", format!("{magnitude:x}")),
            (16, _) => ("0X", format!("{magnitude:X}")),
            (8, _) => ("0o", format!("{magnitude:o}")),
            _ => ("", magnitude.to_string()),
        };
        let least = self.spec.precision.unwrap_or(0);
        let digits = "0".repeat(least.saturating_sub(digits.len())) + &digits;
        let prefix = if self.spec.alternate { prefix } else { "" };
        Ok(self.laid_out(number < 0, prefix, &digits, ""))
    }

    fn laid_out(&self, negative: bool, prefix: &str, whole: &str, tail: &str) -> String {
        let mut spec = self.spec.clone();
        if self.left {
            (spec.zero, spec.align) = (false, Some('<'));
        }
        spec.signed(negative, prefix, whole, tail, 3)
    }

    fn aligned(&self, text: &str) -> String {
        let missing = self.spec.width.saturating_sub(super::text::length(text));
        let blanks = " ".repeat(missing);
        if self.left { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
    }
}

/// Reads a width or a precision, which may be an argument (`*`).
fn number(c: &mut char, rest: &mut Chars<'_>, arguments: &mut FormatArguments<'_>) -> Outcome<Option<i128>> {
    if *c == '*' {
        let value = arguments.next()?;
        *c = rest.next().ok_or_else(incomplete)?;
        return value.as_int().map(Some).ok_or_else(|| value.refuse("is no width"));
    }
    let mut value: Option<i128> = None;
    while let Some(digit) = c.to_digit(10) {
        value = Some((value.unwrap_or(0) * 10 + i128::from(digit)).min(1 << 40));
        *c = rest.next().ok_or_else(incomplete)?;
    }
    Ok(value)
}

fn incomplete() -> Fault {
    Fault::failed("a format of % is not complete")
}

/// Escapes what is not ASCII, as Python's `ascii`.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() || is_marker(c) {
            out.push(c);
        } else {
            super::text::push_code(&mut out, c);
        }
    }
    out
}

/// Makes the arguments of the filter `format` one value: a tuple, or a dictionary of names.
pub(super) fn packed(positional: Vec<Value>, named: Vec<(std::sync::Arc<str>, Value)>) -> Outcome<Value> {
    if named.is_empty() {
        return Value::tuple(positional);
    }
    let pairs = named.into_iter().map(|(name, value)| (Value::text(name), value));
    Ok(Value::Dict(Rc::new(super::dict::Dict::new(pairs)?)))
}
