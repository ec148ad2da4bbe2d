//! Values as Python prints them.
//!
//! Templates are written for Jinja2, where `{{ value }}` is `str(value)` and what stands inside a container is
//! `repr(value)`: `1e-05`, `True`, `None`, `['a', 1.0]`, `{'k': 'v'}`.

use std::fmt::{self, Write};

use minijinja::Value;
use minijinja::value::{DynObject, ValueKind};

/// Writes `str(value)`.
pub(super) fn write_str(out: &mut dyn Write, value: &Value) -> fmt::Result {
    match value.as_str() {
        Some(text) => out.write_str(text),
        None if value.is_undefined() => Ok(()),
        None => write_repr(out, value, 0),
    }
}

/// Returns `repr` of a float, which is also its `str` and its JSON form.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    // Both languages print the shortest digits that read back as the same number; they differ in the layout.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` always writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn write_repr(out: &mut dyn Write, value: &Value, depth: usize) -> fmt::Result {
    if depth > DEPTH_MAX {
        return Err(fmt::Error);
    }
    match value.kind() {
        ValueKind::Undefined => out.write_str("Undefined"),
        ValueKind::None => out.write_str("None"),
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if value.is_integer() => write!(out, "{value}"),
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(number) => out.write_str(&float(number)),
            Err(_) => write!(out, "{value}"),
        },
        ValueKind::String => write_quoted(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let tuple = value.is_tuple();
            out.write_char(if tuple { '(' } else { '[' })?;
            let mut count = 0;
            for item in value.try_iter().map_err(|_| fmt::Error)? {
                if count > 0 {
                    out.write_str(", ")?;
                }
                write_repr(out, &item, depth + 1)?;
                count += 1;
            }
            out.write_str(match (tuple, count) {
                (true, 1) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            })
        }
        ValueKind::Map => {
            out.write_char('{')?;
            let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
            for (index, (key, item)) in pairs.into_iter().flatten().enumerate() {
                if index > 0 {
                    out.write_str(", ")?;
                }
                write_repr(out, &key, depth + 1)?;
                out.write_str(": ")?;
                write_repr(out, &item, depth + 1)?;
            }
            out.write_char('}')
        }
        _ => write!(out, "{value}"),
    }
}

/// Writes a string in quotes; a character that Python holds for unprintable is escaped.
///
/// Which characters those are changes with the Unicode version of the interpreter; controls and unusual blanks are
/// all that occurs in practice.
fn write_quoted(out: &mut dyn Write, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if c != ' ' && (c.is_control() || c.is_whitespace()) => match u32::from(c) {
                code @ ..=0xff => write!(out, "\\x{code:02x}")?,
                code => write!(out, "\\u{code:04x}")?,
            },
            c => out.write_char(c)?,
        }
    }
    out.write_char(quote)
}

/// How deep containers may lie in each other to be printed.
const DEPTH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value) -> String {
        let mut out = String::new();
        write_str(&mut out, value).unwrap();
        out
    }

    #[test]
    fn floats_look_as_in_python() {
        for (value, text) in [
            (21.5, "21.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn containers_show_the_repr_of_their_items() {
        let list: Value =
            [1.into(), 2.5.into(), true.into(), ().into(), Value::from("x'y")].into_iter().collect();
        let value = Value::from_pairs([("a", list), ("b", "q\"\n".into())]);
        assert_eq!(shown(&value), r#"{'a': [1, 2.5, True, None, "x'y"], 'b': 'q"\n'}"#);
    }

    #[test]
    fn text_is_itself_and_the_undefined_is_nothing() {
        assert_eq!(shown(&Value::from("a\nb")), "a\nb");
        assert_eq!(shown(&Value::UNDEFINED), "");
        assert_eq!(shown(&Value::from(())), "None");
    }
}
