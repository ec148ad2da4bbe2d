//! Filters on texts.

use std::fmt::Write;
use std::sync::Arc;

use super::super::arguments::{Args, count, int_or, text};
use super::super::fault::{Fault, Outcome};
use super::super::interpreter::Interpreter;
use super::super::lexer::is_space;
use super::super::markup::{escape, escape_all, strip_tags};
use super::super::numbers::{Number, parse_float};
use super::super::percent;
use super::super::text::{byte_of, capitalize, length, split_lines, title_words};
use super::super::text_methods::{pad, replace, strip};
use super::super::value::{Str, Value};
use crate::template::guard::is_marker;

/// Applies a filter that works on the text of a value.
pub(super) fn apply(this: &mut Interpreter<'_>, name: &str, value: &Value, args: Args) -> Outcome<Value> {
    match name {
        "truncate" => return truncate(this, value, args),
        "indent" => return indent(this, value, args),
        "urlencode" => return urlencode(this, value, args),
        "filesizeformat" => return filesizeformat(value, args),
        "xmlattr" => return xmlattr(this, value, args),
        _ => {}
    }
    let whole = match value {
        Value::Text(text) => text.clone(),
        other => Str::plain(this.str_of(other)?),
    };
    this.budget.pay_text(whole.text.len())?;
    match name {
        "format" => {
            if !args.positional.is_empty() && !args.named.is_empty() {
                return Err(Fault::failed("format takes arguments by place or by name, not both"));
            }
            let packed = percent::packed(args.positional, args.named)?;
            return percent::format(this, &whole, &packed);
        }
        "replace" => {
            let [old, new, most] = args.bind(name, ["old", "new", "count"], 2)?;
            let old = this.str_of(&old.unwrap_or(Value::None))?;
            let new = this.str_of(&new.unwrap_or(Value::None))?;
            let most = int_or(most.filter(|most| !matches!(most, Value::None)).as_ref(), -1)?;
            let whole = Str { safe: false, ..whole };
            return replace(this, &whole, &old, &new, most);
        }
        "trim" => {
            let [set] = args.bind(name, ["chars"], 0)?;
            let stripped = strip(&whole.text, set.as_ref(), true, true)?;
            // The guard knows that texts are trimmed.
            return Ok(if set.is_none() { whole.with(stripped) } else { this.cut(&whole, stripped) });
        }
        "center" => {
            let [width] = args.bind(name, ["width"], 0)?;
            let width = int_or(width.as_ref(), 80)?;
            let padded = pad(&whole.text, name, count(width), ' ')?;
            this.budget.pay_text(padded.len())?;
            return Ok(whole.with(padded));
        }
        _ => {}
    }
    let [] = args.unnamed(name, 0)?;
    Ok(match name {
        "capitalize" => whole.with(capitalize(&whole.text)),
        "lower" => whole.with(whole.text.to_lowercase()),
        "upper" => whole.with(whole.text.to_uppercase()),
        "title" => Value::text(title_words(&whole.text)),
        "string" => Value::Text(whole),
        "striptags" => {
            let stripped = strip_tags(&whole.text);
            this.respelled(&Str { safe: false, ..whole }, stripped)
        }
        "wordcount" => {
            let is_word = |c: char| c == '_' || c.is_alphanumeric();
            Value::Int(whole.text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count() as i128)
        }
        "safe" => Value::Text(Str { safe: true, ..whole }),
        "forceescape" => Value::Text(Str { safe: true, ..Str::plain(escape_all(&whole.text)) }),
        _ => Value::Text(Str { safe: true, ..Str::plain(escape(&whole)) }),
    })
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`
fn truncate(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [size, kill_words, end, leeway] =
        args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let size = int_or(size.as_ref(), 255)?;
    let end = end.unwrap_or_else(|| Value::text("..."));
    let end = text(&end)?;
    let leeway = int_or(leeway.filter(|leeway| !matches!(leeway, Value::None)).as_ref(), 5)?;
    let kept = size - length(&end.text) as i128;
    if kept < 0 || leeway < 0 {
        return Err(Fault::failed("truncate needs a length that its end fits into, and no negative leeway"));
    }
    if this.length(value)? as i128 <= size.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let whole = text(value)?;
    let head = &whole.text[..byte_of(&whole.text, count(kept))];
    let head = match head.rfind(' ') {
        Some(blank) if !kill_words.is_some_and(|kill| kill.is_true()) => &head[..blank],
        _ => head,
    };
    match this.cut(whole, head) {
        Value::Text(head) => this.add_texts(&head, end),
        other => Ok(other),
    }
}

/// `indent(width=4, first=False, blank=False)`
fn indent(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
    let is_set = |flag: Option<Value>| flag.is_some_and(|flag| flag.is_true());
    let (first, blank) = (is_set(first), is_set(blank));
    let whole = text(value)?;
    let prefix: Arc<str> = match &width {
        Some(Value::Text(prefix)) => prefix.text.clone(),
        width => {
            let width = count(int_or(width.as_ref(), 4)?);
            this.budget.pay_text(width)?;
            " ".repeat(width).into()
        }
    };
    let ended = format!("{}\n", whole.text);
    let lines = split_lines(&ended, false);
    let bytes = lines.len().saturating_mul(prefix.len()).saturating_add(ended.len());
    this.budget.pay_text(bytes)?;
    let mut out = String::with_capacity(bytes);
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&prefix);
        }
        out.push_str(line);
    }
    Ok(whole.with(out))
}

fn urlencode(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("urlencode", 0)?;
    let pairs = match value {
        Value::Dict(dict) => dict.pairs.clone(),
        Value::Undefined(_) => Vec::new(),
        Value::List(_) | Value::Tuple(_) | Value::View(..) | Value::Stream(_) | Value::Range(_) => {
            let mut pairs = Vec::new();
            for pair in this.collect(value)? {
                let pair: Result<[Value; 2], _> = this.collect(&pair)?.try_into();
                let [key, value] = pair.map_err(|_| Fault::failed("urlencode needs pairs"))?;
                pairs.push((key, value));
            }
            pairs
        }
        other => {
            let text = this.str_of(other)?;
            this.budget.pay_text(text.len().saturating_mul(3))?;
            return Ok(Value::text(quoted(&text, false)));
        }
    };
    let mut out = String::new();
    for (index, (key, value)) in pairs.iter().enumerate() {
        let (key, value) = (this.str_of(key)?, this.str_of(value)?);
        this.budget.pay_text((key.len() + value.len()).saturating_mul(3))?;
        if index > 0 {
            out.push('&');
        }
        out.push_str(&quoted(&key, true));
        out.push('=');
        out.push_str(&quoted(&value, true));
        super::super::eval::within(out.len())?;
    }
    Ok(Value::text(out))
}

/// Percent-encodes a text.
fn quoted(text: &str, is_query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '~') => out.push(c),
            '/' if !is_query => out.push('/'),
            ' ' if is_query => out.push('+'),
            c if is_marker(c) => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(out, "%{byte:02X}").expect("a string takes all text");
                }
            }
        }
    }
    out
}

/// `filesizeformat(binary=False)`
fn filesizeformat(value: &Value, args: Args) -> Outcome<Value> {
    let [binary] = args.bind("filesizeformat", ["binary"], 0)?;
    let binary = binary.is_some_and(|binary| binary.is_true());
    let bytes = match value {
        Value::Text(text) => parse_float(&text.text),
        other => Number::of(other).map(Number::to_float),
    };
    let bytes = bytes.ok_or_else(|| value.refuse("is no size"))?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::text("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::text(format!("{} Bytes", super::super::numbers::float_to_int(bytes)?)));
    }
    let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let mut power = 0;
    while power + 1 < prefixes.len() && bytes >= base.powi(power as i32 + 2) {
        power += 1;
    }
    if bytes.is_nan() {
        power = prefixes.len() - 1;
    }
    let amount = base * bytes / base.powi(power as i32 + 2);
    let prefix = if binary {
        format!("{}iB", prefixes[power].to_uppercase())
    } else {
        format!("{}B", prefixes[power])
    };
    Ok(Value::text(format!("{amount:.1} {prefix}")))
}

/// `xmlattr(autospace=True)`
fn xmlattr(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [auto_space] = args.bind("xmlattr", ["autospace"], 0)?;
    let auto_space = auto_space.is_none_or(|auto_space| auto_space.is_true());
    let Value::Dict(dict) = value else { return Err(value.refuse("is no dictionary")) };
    let mut out = String::new();
    for (key, value) in &dict.pairs {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let name = text(key)?;
        if name.text.contains(|c: char| is_space(c) && c.is_ascii() || matches!(c, '/' | '>' | '=')) {
            return Err(Fault::failed(format!("{:?} is no name of an attribute", name.text)));
        }
        let value = match value {
            Value::Text(value) => escape(value),
            other => escape_all(&this.str_of(other)?).into(),
        };
        this.budget.pay_text(name.text.len() + value.len())?;
        if !out.is_empty() || auto_space {
            out.push(' ');
        }
        write!(out, "{}=\"{value}\"", escape(name)).expect("a string takes all text");
        super::super::eval::within(out.len())?;
    }
    Ok(Value::text(out))
}
