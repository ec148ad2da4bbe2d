//! Filters on numbers.

use super::super::arguments::{Args, int as as_int};
use super::super::ast::Binary;
use super::super::fault::{Fault, Outcome};
use super::super::interpreter::Interpreter;
use super::super::items::Items;
use super::super::numbers::{Number, compute, float_to_int, parse_float, parse_int, round as rounded};
use super::super::value::Value;

pub(super) fn abs(value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("abs", 0)?;
    match Number::of(value) {
        Some(Number::Int(value)) => {
            let result = value.checked_abs();
            result.map(Value::Int).ok_or_else(|| Fault::failed("an integer becomes larger than 128 bits"))
        }
        Some(Number::Float(value)) => Ok(Value::Float(value.abs())),
        None => Err(value.refuse("has no absolute value")),
    }
}

/// `int(default=0, base=10)`: what is no number becomes the default.
pub(super) fn int(value: &Value, args: Args) -> Outcome<Value> {
    let [default, base] = args.bind("int", ["default", "base"], 0)?;
    let default = default.unwrap_or(Value::Int(0));
    let base = base.map_or(Ok(10), |base| as_int(&base));
    match value {
        Value::Undefined(_) => Err(value.refuse("is no number")),
        Value::Text(text) => {
            if let Ok(base) = base
                && let Some(value) = parse_int(&text.text, base)?
            {
                return Ok(Value::Int(value));
            }
            Ok(match parse_float(&text.text) {
                Some(value) if value.is_finite() => Value::Int(float_to_int(value)?),
                _ => default,
            })
        }
        Value::Float(value) if value.is_nan() => Ok(default),
        Value::Float(value) => float_to_int(*value).map(Value::Int),
        other => Ok(other.as_int().map_or(default, Value::Int)),
    }
}

/// `float(default=0.0)`
pub(super) fn float(value: &Value, args: Args) -> Outcome<Value> {
    let [default] = args.bind("float", ["default"], 0)?;
    let default = default.unwrap_or(Value::Float(0.0));
    match value {
        Value::Undefined(_) => Err(value.refuse("is no number")),
        Value::Text(text) => Ok(parse_float(&text.text).map_or(default, Value::Float)),
        other => Ok(Number::of(other).map_or(default, |number| Value::Float(number.to_float()))),
    }
}

/// `round(precision=0, method='common')`
pub(super) fn round(value: &Value, args: Args) -> Outcome<Value> {
    let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
    let method = method.unwrap_or_else(|| Value::text("common"));
    let method = method.as_text().map(|method| &*method.text).unwrap_or_default();
    let number = || Number::of(value).ok_or_else(|| value.refuse("cannot be rounded"));
    if method == "common" {
        let digits = match &precision {
            Some(Value::None) => None,
            Some(digits) => Some(as_int(digits)?),
            None => Some(0),
        };
        return rounded(number()?, digits);
    }
    if method != "ceil" && method != "floor" {
        return Err(Fault::failed("the method of round is common, ceil or floor"));
    }
    let precision = Number::of(&precision.unwrap_or(Value::Int(0)));
    let precision = precision.ok_or_else(|| Fault::failed("the precision of round is no number"))?;
    let number_of = |value: &Value| Number::of(value).ok_or_else(|| value.refuse("is no number"));
    let unit = number_of(&compute(Binary::Power, Number::Int(10), precision)?)?;
    let whole = match number_of(&compute(Binary::Multiply, number()?, unit)?)? {
        Number::Int(value) => value,
        Number::Float(value) => float_to_int(if method == "ceil" { value.ceil() } else { value.floor() })?,
    };
    compute(Binary::Divide, Number::Int(whole), unit)
}

/// `sum(attribute=None, start=0)`
pub(super) fn sum(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [attribute, start] = args.bind("sum", ["attribute", "start"], 0)?;
    let mut total = start.unwrap_or(Value::Int(0));
    let mut items = Items::of(this, value)?;
    if matches!(total, Value::Text(_)) {
        return Err(Fault::failed("sum adds no texts"));
    }
    while let Some(item) = items.next(this)? {
        let item = match &attribute {
            None | Some(Value::None) => item,
            Some(attribute) => this.path(&item, attribute, None)?,
        };
        total = this.binary(Binary::Add, &total, &item)?;
    }
    Ok(total)
}
