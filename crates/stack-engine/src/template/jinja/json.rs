//! The filter `tojson`: Python's `json.dumps` as transformers calls it.

use std::fmt::Write;

use super::arguments::{Args, int};
use super::budget::TEXT_BYTES_MAX;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::numbers::float_text;
use super::value::{Seq, Value};
use crate::template::guard::is_marker;

/// `tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(super) fn tojson(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [ascii, indent, separators, sorted] =
        args.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"], 0)?;
    let given = |value: Option<Value>| value.filter(|value| !matches!(value, Value::None));
    let indent = given(indent).map(|indent| indentation(&indent)).transpose()?;
    let (item_separator, key_separator) = match given(separators) {
        Some(pair) => match this.collect(&pair)?.as_slice() {
            [Value::Text(item), Value::Text(key)] => (shortened(&item.text), shortened(&key.text)),
            _ => return Err(Fault::failed("the separators of tojson are two texts")),
        },
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let mut writer = Writer {
        out: String::new(),
        ascii: ascii.is_some_and(|ascii| ascii.is_true()),
        sorted: sorted.is_some_and(|sorted| sorted.is_true()),
        indent,
        item_separator,
        key_separator,
    };
    writer.value(this, value, 0)?;
    this.budget.pay_text(writer.out.len())?;
    Ok(Value::text(writer.out))
}

fn indentation(value: &Value) -> Outcome<String> {
    if let Value::Text(text) = value {
        return Ok(shortened(&text.text));
    }
    match usize::try_from(int(value)?.max(0)) {
        Ok(width @ ..=INDENT_MAX) => Ok(" ".repeat(width)),
        _ => Err(Fault::failed("the indentation of tojson is too wide")),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(INDENT_MAX).collect()
}

struct Writer {
    out: String,
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
}

impl Writer {
    fn value(&mut self, this: &mut Interpreter<'_>, value: &Value, depth: usize) -> Outcome<()> {
        if self.out.len() > TEXT_BYTES_MAX {
            return Err(Fault::exhausted("it writes more text than a prompt can hold"));
        }
        this.budget.step()?;
        match value {
            Value::None => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => self.out.push_str(&value.to_string()),
            Value::Float(value) => self.out.push_str(&float(*value)),
            Value::Text(text) => self.string(&text.text),
            Value::List(seq) | Value::Tuple(seq) => self.seq(this, seq, depth)?,
            Value::Dict(dict) => {
                let mut pairs = dict.pairs.clone();
                if self.sorted {
                    let keyed = pairs
                        .into_iter()
                        .map(|pair| Ok((pair.0.clone(), Value::tuple(vec![pair.0, pair.1])?)));
                    let keyed = keyed.collect::<Outcome<Vec<_>>>()?;
                    let sorted = this.sort(keyed, false)?;
                    pairs = sorted
                        .into_iter()
                        .filter_map(|pair| match pair {
                            Value::Tuple(pair) => Some((pair.items[0].clone(), pair.items[1].clone())),
                            _ => None,
                        })
                        .collect();
                }
                self.out.push('{');
                for (index, (key, value)) in pairs.iter().enumerate() {
                    self.begin_item(index == 0, depth);
                    self.string(&key_text(key)?);
                    self.out.push_str(&self.key_separator);
                    self.value(this, value, depth + 1)?;
                }
                self.end('}', pairs.is_empty(), depth);
            }
            other => return Err(other.refuse("cannot be written as JSON")),
        }
        Ok(())
    }

    fn seq(&mut self, this: &mut Interpreter<'_>, seq: &Seq, depth: usize) -> Outcome<()> {
        self.out.push('[');
        for (index, item) in seq.items.iter().enumerate() {
            self.begin_item(index == 0, depth);
            self.value(this, item, depth + 1)?;
        }
        self.end(']', seq.items.is_empty(), depth);
        Ok(())
    }

    fn begin_item(&mut self, first: bool, depth: usize) {
        if !first {
            self.out.push_str(&self.item_separator);
        }
        self.new_line(depth + 1);
    }

    fn end(&mut self, close: char, empty: bool, depth: usize) {
        if !empty {
            self.new_line(depth);
        }
        self.out.push(close);
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        let mut plain = 0;
        for (at, c) in text.char_indices() {
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
            let coded = c < ' ' || (self.ascii && c > '~' && !is_marker(c));
            if escape.is_none() && !coded {
                continue;
            }
            self.out.push_str(&text[plain..at]);
            plain = at + c.len_utf8();
            match escape {
                Some(escape) => self.out.push_str(escape),
                None => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.out, "\\u{unit:04x}").expect("a string takes all text");
                    }
                }
            }
        }
        self.out.push_str(&text[plain..]);
        self.out.push('"');
    }
}

fn float(value: f64) -> String {
    match float_text(value).as_str() {
        "nan" => "NaN".into(),
        "inf" => "Infinity".into(),
        "-inf" => "-Infinity".into(),
        finite => finite.to_owned(),
    }
}

fn key_text(key: &Value) -> Outcome<String> {
    Ok(match key {
        Value::Text(text) => text.text.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::Bool(value) => if *value { "true" } else { "false" }.into(),
        Value::None => "null".into(),
        other => return Err(other.refuse("cannot be a key of JSON")),
    })
}

/// The widest indentation, and the longest separator.
const INDENT_MAX: usize = 64;
