//! The `tojson` filter: Python's `json.dumps` as transformers calls it.

use std::fmt::{self, Write};

use minijinja::value::{DynObject, Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::environment::MARKER_VARIABLE;
use super::meter::{self, BoundedText};
use super::text;

/// `tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
#[expect(clippy::needless_pass_by_value, reason = "the interpreter hands arguments over by value")]
pub(super) fn tojson(
    state: &mut State,
    value: &Value,
    args: Rest<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let layout = Layout::from_arguments(state, &args, &kwargs)?;
    let mut writer = Writer { out: BoundedText::new(), layout };
    match writer.value(value, 0) {
        Ok(()) => {}
        Err(Problem::Unwritable(what)) => {
            return Err(Error::new(ErrorKind::BadSerialization, format!("{what} cannot be written as JSON")));
        }
        Err(Problem::Full) => return Err(meter::too_long()),
    }
    let text = writer.out.into_string();
    meter::charge_written(state, text.len())?;
    Ok(Value::from(text))
}

/// The arguments of the filter.
struct Layout {
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    /// The character that is never escaped, because it is not part of the text.
    marker: Option<char>,
}

impl Layout {
    fn from_arguments(state: &State, positional: &[Value], kwargs: &Kwargs) -> Result<Self, Error> {
        if positional.len() > 4 {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        let argument = |index: usize, name: &str| -> Result<Option<Value>, Error> {
            let value = match positional.get(index) {
                Some(value) => Some(value.clone()),
                None => kwargs.get::<Option<Value>>(name)?,
            };
            Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
        };
        let ascii = argument(0, "ensure_ascii")?.is_some_and(|value| value.is_true());
        let indent = argument(1, "indent")?.map(|value| indentation(&value)).transpose()?;
        let separators = argument(2, "separators")?;
        let sorted = argument(3, "sort_keys")?.is_some_and(|value| value.is_true());
        kwargs.assert_all_used()?;
        let (item_separator, key_separator) = match separators {
            Some(pair) => (separator(&pair, 0)?, separator(&pair, 1)?),
            None if indent.is_some() => (",".into(), ": ".into()),
            None => (", ".into(), ": ".into()),
        };
        let marker = state
            .lookup(MARKER_VARIABLE)
            .and_then(|value| value.as_str().and_then(|text| text.chars().next()));
        Ok(Self { ascii, sorted, indent, item_separator, key_separator, marker })
    }
}

fn indentation(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.chars().take(INDENT_MAX).collect());
    }
    let width = i64::try_from(value.clone())?;
    match usize::try_from(width).unwrap_or(0) {
        width @ ..=INDENT_MAX => Ok(" ".repeat(width)),
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("tojson cannot indent by {width}"))),
    }
}

fn separator(pair: &Value, index: usize) -> Result<String, Error> {
    match pair.get_item_by_index(index)?.as_str() {
        Some(text) => Ok(text.chars().take(INDENT_MAX).collect()),
        None => Err(Error::new(ErrorKind::InvalidOperation, "the separators of tojson are two strings")),
    }
}

/// Why a value could not be written.
enum Problem {
    Unwritable(String),
    Full,
}

impl From<fmt::Error> for Problem {
    fn from(_: fmt::Error) -> Self {
        Self::Full
    }
}

struct Writer {
    out: BoundedText,
    layout: Layout,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Problem> {
        if depth > DEPTH_MAX {
            return Err(Problem::Unwritable("a value that is nested this deep".into()));
        }
        match value.kind() {
            ValueKind::None => self.out.write_str("null")?,
            ValueKind::Bool => self.out.write_str(if value.is_true() { "true" } else { "false" })?,
            ValueKind::Number => self.out.write_str(&number(value))?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().map_err(|error| Problem::Unwritable(error.to_string()))?;
                self.out.write_char('[')?;
                let mut empty = true;
                for item in items {
                    self.begin_item(empty, depth)?;
                    empty = false;
                    self.value(&item, depth + 1)?;
                }
                self.end(']', empty, depth)?;
            }
            ValueKind::Map => self.map(value, depth)?,
            ValueKind::Undefined => return Err(Problem::Unwritable("an undefined value".into())),
            kind => return Err(Problem::Unwritable(kind.to_string())),
        }
        Ok(())
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<(), Problem> {
        let pairs = value.as_object().and_then(DynObject::try_iter_pairs).into_iter().flatten();
        self.out.write_char('{')?;
        let mut empty = true;
        if self.layout.sorted {
            let mut sorted = Vec::new();
            for (key, item) in pairs {
                sorted.push((key_text(&key)?, item));
            }
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            for (key, item) in sorted {
                self.entry(&key, &item, empty, depth)?;
                empty = false;
            }
        } else {
            for (key, item) in pairs {
                self.entry(&key_text(&key)?, &item, empty, depth)?;
                empty = false;
            }
        }
        self.end('}', empty, depth)
    }

    fn entry(&mut self, key: &str, item: &Value, first: bool, depth: usize) -> Result<(), Problem> {
        self.begin_item(first, depth)?;
        self.string(key)?;
        self.out.write_str(&self.layout.key_separator)?;
        self.value(item, depth + 1)
    }

    fn begin_item(&mut self, first: bool, depth: usize) -> Result<(), Problem> {
        if !first {
            self.out.write_str(&self.layout.item_separator)?;
        }
        self.new_line(depth + 1)
    }

    fn end(&mut self, close: char, empty: bool, depth: usize) -> Result<(), Problem> {
        if !empty {
            self.new_line(depth)?;
        }
        Ok(self.out.write_char(close)?)
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Problem> {
        if let Some(indent) = &self.layout.indent {
            self.out.write_char('\n')?;
            for _ in 0..depth {
                self.out.write_str(indent)?;
            }
        }
        Ok(())
    }

    fn string(&mut self, value: &str) -> Result<(), Problem> {
        self.out.write_char('"')?;
        let mut plain = 0;
        for (at, c) in value.char_indices() {
            let escape = match c {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                _ => None,
            };
            let coded = c < ' ' || (self.layout.ascii && c > '~' && Some(c) != self.layout.marker);
            if escape.is_none() && !coded {
                continue;
            }
            self.out.write_str(&value[plain..at])?;
            plain = at + c.len_utf8();
            if let Some(escape) = escape {
                self.out.write_str(escape)?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.out, "\\u{unit:04x}")?;
                }
            }
        }
        self.out.write_str(&value[plain..])?;
        Ok(self.out.write_char('"')?)
    }
}

fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(float) if !value.is_integer() => match text::float(float).as_str() {
            "nan" => "NaN".into(),
            "inf" => "Infinity".into(),
            "-inf" => "-Infinity".into(),
            finite => finite.to_owned(),
        },
        _ => value.to_string(),
    }
}

fn key_text(key: &Value) -> Result<String, Problem> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => Ok(number(key)),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.into()),
        ValueKind::None => Ok("null".into()),
        kind => Err(Problem::Unwritable(format!("a key that is {kind}"))),
    }
}

/// How deep containers may lie in each other.
const DEPTH_MAX: usize = 256;
/// The widest indentation, and the longest separator.
const INDENT_MAX: usize = 64;
