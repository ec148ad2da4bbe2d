//! Tests: what stands behind `is`.

use super::arguments::{Args, int_or};
use super::ast::{Binary, Comparison};
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::items::Items;
use super::numbers::Number;
use super::text_methods::{is_lower, is_upper};
use super::value::Value;
use super::{dict::Key, filters};

/// Returns whether there is a test of this name.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name) || comparison(name).is_some()
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "==" | "eq" | "equalto" => Comparison::Equal,
        "!=" | "ne" => Comparison::NotEqual,
        "<" | "lt" | "lessthan" => Comparison::Less,
        "<=" | "le" => Comparison::LessEqual,
        ">" | "gt" | "greaterthan" => Comparison::Greater,
        ">=" | "ge" => Comparison::GreaterEqual,
        "in" => Comparison::In,
        _ => return None,
    })
}

impl Interpreter<'_> {
    /// Tests a value.
    pub(super) fn test(&mut self, name: &str, value: &Value, args: Args) -> Outcome<bool> {
        self.budget.step()?;
        if let Some(comparison) = comparison(name) {
            let parameter = if name == "in" { "seq" } else { "" };
            let [other] =
                if name == "in" { args.bind(name, [parameter], 1)? } else { args.unnamed(name, 1)? };
            return self.compare(comparison, value, &other.unwrap_or(Value::None));
        }
        match name {
            "sameas" => {
                let [other] = args.bind(name, ["other"], 1)?;
                return Ok(other.is_some_and(|other| value.is_same(&other)));
            }
            "divisibleby" => {
                let [divisor] = args.bind(name, ["num"], 1)?;
                let rest = self.binary(Binary::Modulo, value, &divisor.unwrap_or(Value::None))?;
                return self.equal(&rest, &Value::Int(0));
            }
            _ => {}
        }
        let [] = args.unnamed(name, 0)?;
        Ok(match name {
            "defined" => !value.is_undefined(),
            "undefined" => value.is_undefined(),
            "none" => matches!(value, Value::None),
            "boolean" => matches!(value, Value::Bool(_)),
            "true" => matches!(value, Value::Bool(true)),
            "false" => matches!(value, Value::Bool(false)),
            "integer" => matches!(value, Value::Int(_)),
            "float" => matches!(value, Value::Float(_)),
            "number" => Number::of(value).is_some(),
            "string" => matches!(value, Value::Text(_)),
            "mapping" => matches!(value, Value::Dict(_)),
            "sequence" => matches!(
                value,
                Value::Undefined(_)
                    | Value::Text(_)
                    | Value::List(_)
                    | Value::Tuple(_)
                    | Value::Dict(_)
                    | Value::Range(_)
            ),
            "iterable" => Items::maybe_of(value).is_some() || matches!(value, Value::Loop(_)),
            "callable" => matches!(
                value,
                Value::Undefined(_)
                    | Value::Macro(_)
                    | Value::Function(_)
                    | Value::Method(_)
                    | Value::Joiner(_)
                    | Value::Loop(_)
            ),
            "escaped" => value.as_text().is_some_and(|text| text.safe),
            "lower" => is_lower(&self.str_of(value)?),
            "upper" => is_upper(&self.str_of(value)?),
            "odd" | "even" => {
                let rest = self.binary(Binary::Modulo, value, &Value::Int(2))?;
                self.equal(&rest, &Value::Int(int_or(None, i128::from(name == "odd"))?))?
            }
            "filter" | "test" => {
                Key::of(value)?;
                let exists = if name == "filter" { filters::exists } else { exists };
                value.as_text().is_some_and(|name| exists(&name.text))
            }
            _ => return Err(Fault::failed(format!("there is no test named {name:?}"))),
        })
    }
}

const NAMES: [&str; 23] = [
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];
