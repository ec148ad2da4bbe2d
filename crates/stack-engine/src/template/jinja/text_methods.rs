//! The methods of `str`.

use std::sync::Arc;

use super::arguments::{Args, count, int, int_or, text};
use super::budget::TEXT_BYTES_MAX;
use super::eval::within;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::items::Items;
use super::joined::Joined;
use super::lexer::is_space;
use super::markup::escape;
use super::str_format;
use super::text::{self as chars, byte_of, length};
use super::value::{Str, Value};

/// Calls a method of a text. The results of a safe text are safe.
pub(super) fn call(this: &mut Interpreter<'_>, receiver: &Str, name: &str, args: Args) -> Outcome<Value> {
    let whole = &*receiver.text;
    this.budget.pay_text(whole.len())?;
    let cut = |this: &Interpreter<'_>, parts: Vec<&str>| -> Vec<Value> {
        parts.into_iter().map(|part| this.cut(receiver, part)).collect()
    };
    if let Some(result) = cased(name, whole) {
        let [] = args.unnamed(name, 0)?;
        within(result.len())?;
        return Ok(receiver.with(result));
    }
    if let Some(result) = asked(name, whole) {
        let [] = args.unnamed(name, 0)?;
        return Ok(Value::Bool(result));
    }
    match name {
        "strip" | "lstrip" | "rstrip" => {
            let [set] = args.unnamed(name, 0)?;
            let rest = strip(whole, set.as_ref(), name != "rstrip", name != "lstrip")?;
            // The guard knows that texts are trimmed.
            Ok(if set.is_none() { receiver.with(rest) } else { this.cut(receiver, rest) })
        }
        "split" | "rsplit" => {
            let [separator, most] = args.bind(name, ["sep", "maxsplit"], 0)?;
            let limit = int_or(most.as_ref(), -1)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let parts = match separator.filter(|separator| !matches!(separator, Value::None)) {
                None if name == "split" => chars::split_blanks(whole, limit),
                None => chars::rsplit_blanks(whole, limit),
                Some(separator) => {
                    let separator = &*text(&separator)?.text;
                    refuse_empty(separator)?;
                    if name == "split" {
                        whole.splitn(limit.saturating_add(1), separator).collect()
                    } else {
                        let mut parts: Vec<&str> =
                            whole.rsplitn(limit.saturating_add(1), separator).collect();
                        parts.reverse();
                        parts
                    }
                }
            };
            this.budget.pay_items(parts.len() * 2)?;
            Value::list(cut(this, parts))
        }
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"], 0)?;
            let lines = chars::split_lines(whole, keep.is_some_and(|keep| keep.is_true()));
            this.budget.pay_items(lines.len() * 2)?;
            Value::list(cut(this, lines))
        }
        "partition" | "rpartition" => {
            let [separator] = args.unnamed(name, 1)?;
            let separator = separator.unwrap_or(Value::None);
            let separator = &*text(&separator)?.text;
            refuse_empty(separator)?;
            let (found, missing) = if name == "partition" {
                (whole.split_once(separator), [whole, "", ""])
            } else {
                (whole.rsplit_once(separator), ["", "", whole])
            };
            let parts = found.map_or(missing, |(head, tail)| [head, separator, tail]);
            Value::tuple(cut(this, parts.into()))
        }
        "join" => {
            let [items] = args.unnamed(name, 1)?;
            join(this, receiver, &items.unwrap_or(Value::None))
        }
        "replace" => {
            let [old, new, most] = args.unnamed(name, 2)?;
            let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
            let new = text(&new)?;
            let new = if receiver.safe { escape(new) } else { new.text.clone() };
            replace(this, receiver, &text(&old)?.text, &new, int_or(most.as_ref(), -1)?)
        }
        "removeprefix" | "removesuffix" => {
            let [affix] = args.unnamed(name, 1)?;
            let affix = affix.unwrap_or(Value::None);
            let affix = &*text(&affix)?.text;
            let rest =
                if name == "removeprefix" { whole.strip_prefix(affix) } else { whole.strip_suffix(affix) };
            Ok(this.cut(receiver, rest.unwrap_or(whole)))
        }
        "startswith" | "endswith" => {
            let [affix, start, end] = args.unnamed(name, 1)?;
            let affix = affix.unwrap_or(Value::None);
            let affixes = match &affix {
                Value::Tuple(seq) => seq.items.clone(),
                _ => vec![affix],
            };
            let part = part(whole, start.as_ref(), end.as_ref())?.map(|(_, part)| part);
            for affix in &affixes {
                let affix = &*text(affix)?.text;
                let found = |part: &str| {
                    if name == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) }
                };
                if part.is_some_and(found) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        "find" | "rfind" | "index" | "rindex" | "count" => find(whole, name, args),
        "ljust" | "rjust" | "center" | "zfill" => {
            let [width, fill] = args.unnamed(name, 1)?;
            let width = int(&width.unwrap_or(Value::None))?;
            let fill = match fill {
                None => ' ',
                Some(_) if name == "zfill" => return Err(Fault::failed("zfill takes one argument")),
                Some(fill) => {
                    let mut fill = text(&fill)?.text.chars().collect::<Vec<char>>();
                    let one = fill.pop().filter(|_| fill.is_empty());
                    one.ok_or_else(|| Fault::failed("a text is filled up with one character"))?
                }
            };
            let padded = pad(whole, name, count(width), fill)?;
            this.budget.pay_text(padded.len())?;
            Ok(receiver.with(padded))
        }
        "expandtabs" => {
            let [size] = args.bind(name, ["tabsize"], 0)?;
            let size = count(int_or(size.as_ref(), 8)?);
            let tabs = whole.matches('\t').count();
            this.budget.pay_text(tabs.saturating_mul(size))?;
            Ok(this.respelled(receiver, expand_tabs(whole, size)))
        }
        "format" => str_format::format(this, receiver, args),
        "format_map" => {
            let [map] = args.unnamed(name, 1)?;
            let Some(Value::Dict(dict)) = map else {
                return Err(Fault::failed("format_map needs a dictionary"));
            };
            let named = dict
                .pairs
                .iter()
                .filter_map(|(key, value)| Some((key.as_text()?.text.clone(), value.clone())));
            str_format::format(this, receiver, Args { positional: Vec::new(), named: named.collect() })
        }
        _ => Err(Fault::failed(format!("texts have no method {name:?}"))),
    }
}

/// The methods that change the case.
fn cased(name: &str, whole: &str) -> Option<String> {
    Some(match name {
        "upper" => whole.to_uppercase(),
        "lower" => whole.to_lowercase(),
        "casefold" => whole.to_lowercase().replace('ß', "ss").replace('ς', "σ"),
        "title" => chars::title(whole),
        "capitalize" => chars::capitalize(whole),
        "swapcase" => chars::swapcase(whole),
        _ => return None,
    })
}

/// The methods that ask what a text consists of.
fn asked(name: &str, whole: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !whole.is_empty() && whole.chars().all(is);
    Some(match name {
        "isalpha" => all(chars::is_alpha),
        "isdecimal" => all(chars::is_decimal),
        "isdigit" => all(chars::is_digit),
        "isnumeric" => all(chars::is_numeric),
        "isalnum" => all(|c| chars::is_alpha(c) || chars::is_numeric(c)),
        "isspace" => all(is_space),
        "isascii" => whole.is_ascii(),
        "isprintable" => whole.chars().all(chars::is_printable),
        "islower" => is_lower(whole),
        "isupper" => is_upper(whole),
        "istitle" => chars::is_title(whole),
        "isidentifier" => {
            let is_first = |c: char| c == '_' || c.is_alphabetic();
            whole.starts_with(is_first) && whole.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        _ => return None,
    })
}

pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(chars::is_cased) && !text.chars().any(|c| chars::is_cased(c) && !c.is_lowercase())
}

pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(chars::is_cased) && !text.chars().any(|c| chars::is_cased(c) && !c.is_uppercase())
}

/// Removes characters at the ends: white space, or those of a set.
pub(super) fn strip<'a>(whole: &'a str, set: Option<&Value>, start: bool, end: bool) -> Outcome<&'a str> {
    let set: Option<Vec<char>> = match set {
        None | Some(Value::None) => None,
        Some(set) => Some(text(set)?.text.chars().collect()),
    };
    let goes = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    let rest = if start { whole.trim_start_matches(goes) } else { whole };
    Ok(if end { rest.trim_end_matches(goes) } else { rest })
}

/// Replaces up to `most` occurrences; all if it is negative.
pub(super) fn replace(
    this: &mut Interpreter<'_>,
    receiver: &Str,
    old: &str,
    new: &str,
    most: i128,
) -> Outcome<Value> {
    let whole = &*receiver.text;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = whole.matches(old).take(most).count();
    let bytes = found.saturating_mul(new.len()).saturating_add(whole.len());
    this.budget.pay_text(bytes)?;
    let mut out = String::with_capacity(bytes);
    let mut joints = Vec::new();
    let mut copied = 0;
    for (at, _) in whole.match_indices(old).take(most) {
        out.push_str(&whole[copied..at]);
        joints.push(out.len());
        out.push_str(new);
        copied = at + old.len();
    }
    out.push_str(&whole[copied..]);
    Ok(this.spliced(receiver, out, &joints))
}

/// Joins texts; a safe separator escapes them.
fn join(this: &mut Interpreter<'_>, separator: &Str, items: &Value) -> Outcome<Value> {
    let mut items = Items::of(this, items)?;
    let mut joined = Joined::default();
    let mut first = true;
    while let Some(item) = items.next(this)? {
        let from_caller = item.is_from_caller();
        let item: Arc<str> = match &item {
            Value::Text(item) if separator.safe => escape(item),
            Value::Text(item) => item.text.clone(),
            other if separator.safe => super::markup::escape_all(&this.str_of(other)?).into(),
            other => return Err(other.refuse("is no text that could be joined")),
        };
        if !std::mem::take(&mut first) {
            joined.push(&separator.text, separator.from_caller, &mut this.budget)?;
        }
        joined.push(&item, from_caller, &mut this.budget)?;
    }
    Ok(Value::Text(Str { safe: separator.safe, ..joined.finish(this.input) }))
}

/// Returns the part of a text between two bounds, and its place in characters; nothing if it begins behind the end.
fn part<'a>(whole: &'a str, start: Option<&Value>, end: Option<&Value>) -> Outcome<Option<(usize, &'a str)>> {
    let size = length(whole) as i128;
    let bound = |bound: Option<&Value>, default: i128| -> Outcome<i128> {
        Ok(match bound {
            None | Some(Value::None) => default,
            Some(bound) => match int(bound)? {
                bound if bound < 0 => bound.saturating_add(size).max(0),
                bound => bound,
            },
        })
    };
    let (start, end) = (bound(start, 0)?, bound(end, size)?.min(size));
    if start > end {
        return Ok(None);
    }
    let from = byte_of(whole, start as usize);
    let to = byte_of(whole, end as usize);
    Ok(Some((start as usize, &whole[from..to])))
}

fn find(whole: &str, name: &str, args: Args) -> Outcome<Value> {
    let [wanted, start, end] = args.unnamed(name, 1)?;
    let wanted = wanted.unwrap_or(Value::None);
    let wanted = &*text(&wanted)?.text;
    let part = part(whole, start.as_ref(), end.as_ref())?;
    if name == "count" {
        let found = match part {
            None => 0,
            Some((_, part)) if wanted.is_empty() => length(part) + 1,
            Some((_, part)) => part.matches(wanted).count(),
        };
        return Ok(Value::Int(found as i128));
    }
    let at = part.and_then(|(offset, part)| {
        let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
        at.map(|at| offset + length(&part[..at]))
    });
    match at {
        Some(at) => Ok(Value::Int(at as i128)),
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => Err(Fault::failed("the text that is looked for is not there")),
    }
}

/// Fills a text up to a width.
pub(super) fn pad(whole: &str, how: &str, width: usize, fill: char) -> Outcome<String> {
    let missing = width.saturating_sub(length(whole));
    if missing > TEXT_BYTES_MAX {
        return Err(Fault::exhausted("it fills a text up to a very large width"));
    }
    within(missing.saturating_mul(4).saturating_add(whole.len()))?;
    let left = match how {
        "ljust" => 0,
        // Python puts the odd blank of an odd width on the left.
        "center" => missing / 2 + (missing & width & 1),
        _ => missing,
    };
    let run = |fill: char, count: usize| fill.to_string().repeat(count);
    if how == "zfill" {
        let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let sign = &whole[..whole.len() - digits.len()];
        return Ok(format!("{sign}{}{digits}", run('0', missing)));
    }
    Ok(format!("{}{whole}{}", run(fill, left), run(fill, missing - left)))
}

fn expand_tabs(whole: &str, size: usize) -> String {
    let mut out = String::with_capacity(whole.len());
    let mut column = 0;
    for c in whole.chars() {
        match c {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\t' => {}
            c => {
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                out.push(c);
            }
        }
    }
    out
}

fn refuse_empty(separator: &str) -> Outcome<()> {
    if separator.is_empty() { Err(Fault::failed("the separator is empty")) } else { Ok(()) }
}
