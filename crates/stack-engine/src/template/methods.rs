//! Methods of Python's types, as far as templates use them.
//!
//! Most come from `minijinja-contrib`; those that can make long texts out of short ones, and some that it lacks, are
//! here. Methods that change a value (`append`, `update`) do not exist, as in the sandbox that transformers uses.

use std::fmt::Write;

use minijinja::formatting::FormatStyle;
use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::meter::{self, BoundedText};
use super::text;

/// Calls a method that the interpreter does not know itself.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let argument_bytes: usize = args.iter().map(|value| value.as_str().map_or(0, str::len)).sum();
    meter::charge(state, value.as_str().map_or(0, str::len) + argument_bytes)?;
    if let Some(text) = value.as_str() {
        match method {
            "join" => {
                let (items,): (&Value,) = from_args(args)?;
                let items = meter::operand(state, items.clone())?;
                return join(state, text, &items);
            }
            "replace" => {
                let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
                return replace(state, text, old, new, count).map(Value::from);
            }
            "format" => return format(state, FormatStyle::StrFormat, text, args).map(Value::from),
            _ => {
                if let Some(result) = text_method(text, method, args)? {
                    return Ok(result);
                }
            }
        }
    }
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        match method {
            "copy" => return copy(value, args),
            "index" => {
                let (wanted,): (&Value,) = from_args(args)?;
                let position = value.try_iter()?.position(|item| item == *wanted);
                return position.map(Value::from).ok_or_else(|| not_found(method));
            }
            _ => {}
        }
    }
    if value.kind() == ValueKind::Map && method == "copy" {
        return copy(value, args);
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args).map_err(|error| {
        if error.kind() == ErrorKind::UnknownMethod && error.detail().is_none() {
            let what = format!("{} has no method named {method}", value.kind());
            return Error::new(ErrorKind::UnknownMethod, what);
        }
        error
    })
}

/// Joins the items of a sequence, each as Python's `str` shows it.
pub(super) fn join(state: &mut State, separator: &str, items: &Value) -> Result<Value, Error> {
    let mut out = BoundedText::new();
    for (index, item) in items.try_iter()?.checked().enumerate() {
        let item = item?;
        if index > 0 {
            out.write_str(separator).map_err(|_| meter::too_long())?;
        }
        text::write_str(&mut out, &item).map_err(|_| meter::too_long())?;
    }
    let text = out.into_string();
    meter::charge_written(state, text.len())?;
    Ok(Value::from(text))
}

/// Replaces `old` by `new`, at most `count` times.
pub(super) fn replace(
    state: &mut State,
    text: &str,
    old: &str,
    new: &str,
    count: Option<i64>,
) -> Result<String, Error> {
    let limit = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let found = text.matches(old).take(limit).count();
    let length = found.saturating_mul(new.len()).saturating_add(text.len());
    meter::charge(state, length)?;
    if length > meter::OUTPUT_BYTES_MAX {
        return Err(meter::too_long());
    }
    Ok(text.replacen(old, new, limit))
}

/// Formats with `%` or `{}` placeholders, whose widths must be short.
pub(super) fn format(
    state: &mut State,
    style: FormatStyle,
    format: &str,
    args: &[Value],
) -> Result<String, Error> {
    let digits = format.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let computed = style == FormatStyle::Printf && format.contains('*')
        || style == FormatStyle::StrFormat && nests(format);
    if digits > WIDTH_DIGITS_MAX || computed {
        return Err(meter::spent_error("it formats to a width that is too large or computed"));
    }
    let fields = format.matches(['%', '{']).count();
    let longest = args.iter().map(|value| value.as_str().map_or(64, str::len)).max().unwrap_or(0);
    if fields.saturating_mul(longest.max(WIDTH_MAX)) > meter::OUTPUT_BYTES_MAX {
        return Err(meter::too_long());
    }
    let args: Vec<Value> = args
        .iter()
        .map(|value| match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => meter::compared(state, value.clone()),
            ValueKind::Map if !value.is_kwargs() => meter::compared(state, value.clone()),
            _ => Ok(value.clone()),
        })
        .collect::<Result<_, Error>>()?;
    let text = minijinja::formatting::format(style, format, &args)?;
    meter::charge_written(state, text.len())?;
    if text.len() > meter::OUTPUT_BYTES_MAX {
        return Err(meter::too_long());
    }
    Ok(text)
}

/// Returns whether a placeholder lies inside another one.
fn nests(format: &str) -> bool {
    let mut open = false;
    for c in format.replace("{{", "").replace("}}", "").chars() {
        match c {
            '{' if open => return true,
            '{' => open = true,
            '}' => open = false,
            _ => {}
        }
    }
    false
}

/// Methods of texts that the contributed ones lack; `None` if this is none of them.
fn text_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let value = match method {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            let parts = text.split_once(separator).map(|(head, tail)| [head, separator, tail]);
            Value::from(Tuple::from(parts.unwrap_or([text, "", ""]).map(Value::from)))
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let parts = text.rsplit_once(separator).map(|(head, tail)| [head, separator, tail]);
            Value::from(Tuple::from(parts.unwrap_or(["", "", text]).map(Value::from)))
        }
        "rsplit" => {
            let (separator, count): (Option<&str>, Option<i64>) = from_args(args)?;
            let limit = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
            let mut parts: Vec<&str> = match separator {
                Some(separator) => text.rsplitn(limit.saturating_add(1), separator).collect(),
                None => rsplit_blanks(text, limit),
            };
            parts.reverse();
            parts.into_iter().map(Value::from).collect()
        }
        "index" | "rindex" => {
            let (wanted,): (&str,) = from_args(args)?;
            let at = if method == "index" { text.find(wanted) } else { text.rfind(wanted) };
            let at = at.ok_or_else(|| not_found(method))?;
            Value::from(text[..at].chars().count())
        }
        "swapcase" => {
            let () = from_args(args)?;
            text.chars()
                .map(|c| {
                    if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }
                })
                .collect::<String>()
                .into()
        }
        "casefold" => {
            let () = from_args(args)?;
            Value::from(text.to_lowercase())
        }
        "isdecimal" => {
            let () = from_args(args)?;
            Value::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit()))
        }
        "ljust" | "rjust" | "center" | "zfill" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let fill = if method == "zfill" { '0' } else { fill.unwrap_or(' ') };
            Value::from(padded(text, method, width, fill)?)
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn rsplit_blanks(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let cut = if parts.len() < limit { rest.rfind(char::is_whitespace) } else { None };
        let Some(cut) = cut else {
            parts.push(rest);
            break;
        };
        let word = rest[cut..].trim_start();
        parts.push(word);
        rest = rest[..cut].trim_end();
    }
    parts
}

fn padded(text: &str, method: &str, width: usize, fill: char) -> Result<String, Error> {
    if width > WIDTH_MAX {
        return Err(meter::spent_error("it pads a text to a large width"));
    }
    let missing = width.saturating_sub(text.chars().count());
    let left = match method {
        "ljust" => 0,
        // Python puts the odd blank of an odd width on the left.
        "center" => missing / 2 + (missing & width & 1),
        _ => missing,
    };
    let run = |count: usize| fill.to_string().repeat(count);
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if method == "zfill" => text.split_at(text.len() - digits.len()),
        _ => ("", text),
    };
    Ok(format!("{sign}{}{digits}{}", run(left), run(missing - left)))
}

fn copy(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let () = from_args(args)?;
    Ok(value.clone())
}

fn not_found(method: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{method}: not found"))
}

/// The largest width of a padded text.
const WIDTH_MAX: usize = 9999;
/// The decimal digits of the largest width.
const WIDTH_DIGITS_MAX: usize = 4;
