//! Attributes and items of values, as the sandbox of Jinja2 shows them.

use std::rc::Rc;
use std::sync::Arc;

use super::fault::Outcome;
use super::interpreter::Interpreter;
use super::text;
use super::value::{Missing, Value};

impl Interpreter<'_> {
    /// `value.name`: an attribute, or else an item of that name.
    pub(super) fn attribute(&mut self, value: &Value, name: &Arc<str>) -> Outcome<Value> {
        if value.is_undefined() {
            return Err(value.refuse("has no attributes"));
        }
        if let Some(found) = self.own_attribute(value, name)? {
            return Ok(found);
        }
        if let Value::Dict(dict) = value
            && let Some(found) = dict.get_text(name)
        {
            return Ok(found.clone());
        }
        Ok(Value::Undefined(Missing::Attribute(value.type_name(), name.clone())))
    }

    /// `value[index]`: an item, or else an attribute of that name.
    pub(super) fn item(&mut self, value: &Value, index: &Value) -> Outcome<Value> {
        if value.is_undefined() {
            return Err(value.refuse("has no items"));
        }
        let found = match value {
            Value::Dict(dict) => dict.get(index).ok().flatten().cloned(),
            Value::List(seq) | Value::Tuple(seq) => {
                position(index, seq.items.len()).map(|at| seq.items[at].clone())
            }
            Value::Range(range) => position(index, range.len()).map(|at| range.item(at)),
            Value::Text(whole) => {
                self.budget.pay(whole.text.len())?;
                position(index, text::length(&whole.text)).and_then(|at| {
                    let from = text::byte_of(&whole.text, at);
                    let c = whole.text[from..].chars().next()?;
                    Some(whole.with(c.to_string()))
                })
            }
            _ => None,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        if let Value::Text(name) = index {
            if let Some(found) = self.own_attribute(value, &name.text)? {
                return Ok(found);
            }
            return Ok(Value::Undefined(Missing::Attribute(value.type_name(), name.text.clone())));
        }
        Ok(Value::Undefined(Missing::Item(value.type_name())))
    }

    /// Returns an attribute that is not an item.
    pub(super) fn own_attribute(&mut self, value: &Value, name: &Arc<str>) -> Outcome<Option<Value>> {
        if is_hidden(value, name) {
            return Ok(Some(Value::Undefined(Missing::Unsafe(name.clone()))));
        }
        if is_method(value, name) {
            return Ok(Some(Value::Method(Rc::new((value.clone(), name.clone())))));
        }
        let int = |value: usize| Some(Value::Int(value as i128));
        Ok(match (value, &**name) {
            (Value::Int(_) | Value::Bool(_), "real" | "numerator") => value.as_int().map(Value::Int),
            (Value::Int(_) | Value::Bool(_), "imag") => int(0),
            (Value::Int(_) | Value::Bool(_), "denominator") => int(1),
            (Value::Float(_), "real") => Some(value.clone()),
            (Value::Float(_), "imag") => Some(Value::Float(0.0)),
            (Value::Range(range), "start") => Some(Value::Int(range.start)),
            (Value::Range(range), "stop") => Some(Value::Int(range.stop)),
            (Value::Range(range), "step") => Some(Value::Int(range.step)),
            (Value::Tuple(seq), "grouper") if seq.is_group => seq.items.first().cloned(),
            (Value::Tuple(seq), "list") if seq.is_group => seq.items.get(1).cloned(),
            (Value::Namespace(namespace), name) => namespace.get(name),
            (Value::Loop(state), name) => state.attribute(name, self)?,
            (Value::Cycler(cycler), "current") => cycler.items.items.get(cycler.position.get()).cloned(),
            (Value::Cycler(cycler), "pos") => int(cycler.position.get()),
            (Value::Cycler(cycler), "items") => Some(Value::Tuple(cycler.items.clone())),
            (Value::Joiner(joiner), "sep") => Some(joiner.separator.clone()),
            (Value::Joiner(joiner), "used") => Some(Value::Bool(joiner.used.get())),
            (Value::Macro(closure), "name") => Some(match &closure.definition.name {
                name if name.is_empty() => Value::None,
                name => Value::text(name.clone()),
            }),
            (Value::Macro(closure), "arguments") => {
                let names = closure.definition.parameters.iter().cloned().map(Value::text).collect();
                Some(Value::tuple(names)?)
            }
            (Value::Macro(closure), "catch_kwargs") => Some(Value::Bool(closure.definition.reads_kwargs)),
            (Value::Macro(closure), "catch_varargs") => Some(Value::Bool(closure.definition.reads_varargs)),
            (Value::Macro(closure), "caller") => Some(Value::Bool(closure.definition.reads_caller)),
            _ => None,
        })
    }
}

/// Returns the place of an item; negative indices count from the end.
fn position(index: &Value, length: usize) -> Option<usize> {
    let index = index.as_int()?;
    let index = if index < 0 { index + length as i128 } else { index };
    usize::try_from(index).ok().filter(|&index| index < length)
}

/// Returns whether a value has a method of this name.
pub(super) fn is_method(value: &Value, name: &str) -> bool {
    let methods: &[&str] = match value {
        Value::Text(_) => &TEXT,
        Value::List(_) => &["copy", "count", "index"],
        Value::Tuple(seq) if seq.is_group && name == "list" => return false,
        Value::Tuple(_) | Value::Range(_) => &["count", "index"],
        Value::Dict(_) => &["copy", "get", "items", "keys", "values"],
        Value::Int(_) | Value::Bool(_) => &["bit_count", "bit_length", "conjugate"],
        Value::Float(_) => &["conjugate", "is_integer"],
        Value::Loop(_) => &["changed", "cycle"],
        Value::Cycler(_) => &["next", "reset"],
        _ => return false,
    };
    methods.contains(&name)
}

/// Returns whether the sandbox hides an attribute: what changes a value, and what is Python's own.
fn is_hidden(value: &Value, name: &str) -> bool {
    let changing: &[&str] = match value {
        Value::List(_) => &["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"],
        Value::Dict(_) => &["clear", "pop", "popitem", "setdefault", "update"],
        _ => &[],
    };
    let is_private = matches!(value, Value::Namespace(_)) && name.starts_with('_');
    is_private
        || changing.contains(&name)
        || (name.starts_with("__") && name.ends_with("__") && name.len() > 4)
}

const TEXT: [&str; 44] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];
