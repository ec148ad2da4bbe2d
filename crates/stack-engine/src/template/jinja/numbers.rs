//! Numbers as Python computes, reads and prints them.

use std::cmp::Ordering;

use super::ast::Binary;
use super::fault::{Fault, Outcome};
use super::value::Value;

/// A number; booleans are integers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Float(value) => Some(Self::Float(*value)),
            other => other.as_int().map(Self::Int),
        }
    }

    pub(super) fn to_float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// Compares exactly, also an integer with a float. Nothing compares with NaN.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Float(b)) => compare_mixed(a, b),
            (Self::Float(a), Self::Int(b)) => compare_mixed(b, a).map(Ordering::reverse),
        }
    }
}

fn compare_mixed(int: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let Some(whole) = exact_int(float.trunc()) else {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    };
    Some(int.cmp(&whole).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

/// Returns the integer that a float is, if it is one of 128 bits.
pub(super) fn exact_int(value: f64) -> Option<i128> {
    let bound = 2.0_f64.powi(127);
    (value.fract() == 0.0 && value >= -bound && value < bound).then_some(value as i128)
}

/// Computes with two numbers.
pub(super) fn compute(operator: Binary, a: Number, b: Number) -> Outcome<Value> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => compute_ints(operator, a, b),
        _ => compute_floats(operator, a.to_float(), b.to_float()).map(Value::Float),
    }
}

fn compute_ints(operator: Binary, a: i128, b: i128) -> Outcome<Value> {
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide | Binary::FloorDivide | Binary::Modulo if b == 0 => return Err(zero_division()),
        Binary::Divide => return Ok(Value::Float(divide(a, b))),
        Binary::FloorDivide => a.checked_div_euclid(b).map(|_| {
            let quotient = a / b;
            if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
        }),
        Binary::Modulo => {
            let rest = a.checked_rem(b).unwrap_or(0);
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Binary::Power if b < 0 && a == 0 => return Err(zero_division()),
        Binary::Power if b < 0 => return compute_floats(operator, a as f64, b as f64).map(Value::Float),
        Binary::Power => match a {
            0 | 1 => Some(if b == 0 { 1 } else { a }),
            -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        },
    };
    result.map(Value::Int).ok_or_else(|| Fault::failed("an integer becomes larger than 128 bits"))
}

/// Divides two integers; the result is rounded once.
fn divide(a: i128, b: i128) -> f64 {
    const EXACT: u128 = 1 << 53;
    let (dividend, divisor) = (a.unsigned_abs(), b.unsigned_abs());
    if dividend <= EXACT && divisor <= EXACT {
        return a as f64 / b as f64;
    }
    if dividend == 0 {
        return 0.0;
    }
    // A quotient of 64 bits whose last bit says whether there is a rest: enough to round once.
    let shift = dividend.leading_zeros();
    let scaled = dividend << shift;
    let (mut quotient, mut rest) = (scaled / divisor, scaled % divisor);
    let mut exponent = -(shift as i32);
    while quotient.leading_zeros() > 64 {
        // One more bit by long division, without overflow of the rest.
        let carry = rest >> 127;
        rest <<= 1;
        let bit = carry == 1 || rest >= divisor;
        if bit {
            rest = rest.wrapping_sub(divisor);
        }
        quotient = (quotient << 1) | u128::from(bit);
        exponent -= 1;
    }
    let sticky = quotient | u128::from(rest != 0);
    let value = sticky as f64 * 2.0_f64.powi(exponent);
    if (a < 0) == (b < 0) { value } else { -value }
}

fn compute_floats(operator: Binary, a: f64, b: f64) -> Outcome<f64> {
    Ok(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide | Binary::FloorDivide | Binary::Modulo if b == 0.0 => return Err(zero_division()),
        Binary::Divide => a / b,
        Binary::Modulo => divide_floored(a, b).1,
        Binary::FloorDivide => divide_floored(a, b).0,
        Binary::Power if a == 0.0 && b < 0.0 => return Err(zero_division()),
        Binary::Power if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 => {
            return Err(Fault::failed("complex numbers are not supported"));
        }
        Binary::Power => {
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                return Err(Fault::failed("a number becomes too large"));
            }
            result
        }
    })
}

/// Returns the quotient, rounded down, and the rest, as Python does.
fn divide_floored(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    let quotient = if quotient == 0.0 {
        0.0_f64.copysign(a / b)
    } else {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    };
    (quotient, rest)
}

fn zero_division() -> Fault {
    Fault::failed("division by zero")
}

/// Rounds to a number of decimals, halves to the even digit, as Python's `round`.
pub(super) fn round(value: Number, digits: Option<i128>) -> Outcome<Value> {
    match (value, digits) {
        (Number::Int(value), None) => Ok(Value::Int(value)),
        (Number::Int(value), Some(digits)) if digits >= 0 => Ok(Value::Int(value)),
        (Number::Int(value), Some(digits)) => {
            let unit = u32::try_from(-digits).ok().and_then(|digits| 10_i128.checked_pow(digits));
            let Some(unit) = unit else { return Ok(Value::Int(0)) };
            let rest = value.rem_euclid(unit);
            let down = value - rest;
            let up = rest * 2 > unit || (rest * 2 == unit && (down / unit) % 2 != 0);
            Ok(Value::Int(if up { down + unit } else { down }))
        }
        (Number::Float(value), None) => float_to_int(value.round_ties_even()).map(Value::Int),
        (Number::Float(value), Some(_)) if !value.is_finite() => Ok(Value::Float(value)),
        (Number::Float(value), Some(digits)) if digits > 330 => Ok(Value::Float(value)),
        (Number::Float(value), Some(digits)) if digits < -310 => Ok(Value::Float(0.0 * value)),
        (Number::Float(value), Some(digits)) if digits >= 0 => {
            let text = format!("{value:.*}", digits as usize);
            Ok(Value::Float(text.parse().unwrap_or(value)))
        }
        (Number::Float(value), Some(digits)) => {
            let unit = 10.0_f64.powi(-digits as i32);
            let text = format!("{:.0}e{}", value / unit, -digits);
            Ok(Value::Float(text.parse().unwrap_or(value)))
        }
    }
}

/// Cuts the decimals off.
pub(super) fn float_to_int(value: f64) -> Outcome<i128> {
    if value.is_nan() {
        return Err(Fault::failed("NaN cannot be made an integer"));
    }
    exact_int(value.trunc()).ok_or_else(|| Fault::failed("a number is too large for an integer of 128 bits"))
}

/// Reads an integer, as Python's `int(text, base)`.
pub(super) fn parse_int(text: &str, base: i128) -> Outcome<Option<i128>> {
    if base != 0 && !(2..=36).contains(&base) {
        return Ok(None);
    }
    let text = text.trim_matches(super::lexer::is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let prefixed = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 0,
    };
    let (radix, digits) = if prefixed != 0 && (base == prefixed || base == 0) {
        (prefixed as u32, digits[2..].strip_prefix('_').unwrap_or(&digits[2..]))
    } else if base == 0 {
        let is_zero = digits.chars().all(|c| matches!(c, '0' | '_'));
        if digits.starts_with('0') && !is_zero {
            return Ok(None);
        }
        (10, digits)
    } else {
        (base as u32, digits)
    };
    let Some(digits) = without_underscores(digits) else { return Ok(None) };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Ok(None);
    }
    match i128::from_str_radix(&digits, radix) {
        Ok(value) => Ok(Some(if negative { -value } else { value })),
        Err(_) => Err(Fault::failed("an integer is larger than 128 bits")),
    }
}

/// Reads a float, as Python's `float(text)`.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let text = without_underscores(text.trim_matches(super::lexer::is_space))?;
    let plain = text.trim_start_matches(['+', '-']);
    if text.len() - plain.len() > 1 {
        return None;
    }
    text.parse().ok()
}

/// Removes underscores that stand between digits; there may be no others.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let between = |at: usize| {
        at > 0
            && bytes[at - 1].is_ascii_alphanumeric()
            && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
    };
    let valid = (0..bytes.len()).all(|at| bytes[at] != b'_' || between(at));
    valid.then(|| text.replace('_', ""))
}

/// Returns `repr` of a float, which is also its `str` and its JSON form.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    // Both languages print the shortest digits that read back as the same number; they differ in the layout.
    let mut scientific = format!("{value:e}");
    // Of two that are equally short and equally near, Python takes the even one.
    let decimals = scientific.find('e').unwrap_or(0).saturating_sub(if value < 0.0 { 3 } else { 2 });
    let even = format!("{value:.decimals$e}");
    if even.parse() == Ok(value) {
        scientific = even;
    }
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` always writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    if (-4..16).contains(&exponent) {
        let decimals = usize::try_from(decimals as i32 - exponent).unwrap_or(0).max(1);
        return format!("{value:.decimals$}");
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_python() {
        for (value, text) in [
            (21.5, "21.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1_452_432_811_909_949.0 + 0.25, "1452432811909949.2"),
            (123_456.789, "123456.789"),
            (-0.5, "-0.5"),
            (5e-324, "5e-324"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_text(value), text);
        }
    }

    #[test]
    fn quotients_of_large_integers_are_rounded_once() {
        for (a, b, quotient) in [
            (10_i128.pow(30), 3, 3.333_333_333_333_333e29),
            ((1 << 53) + 1, 1, 9_007_199_254_740_992.0),
            ((1 << 54) + 3, -2, -9_007_199_254_740_994.0),
            (1, 10_i128.pow(30), 1e-30),
            (i128::MAX, i128::MAX, 1.0),
            (7, i128::MAX, 4.114_230_227_878_006_3e-38),
        ] {
            assert_eq!(divide(a, b), quotient, "{a} / {b}");
        }
    }

    #[test]
    fn an_overflow_is_an_error_and_never_another_number() {
        for (operator, a, b) in [
            (Binary::Multiply, i128::MAX, 2),
            (Binary::Add, i128::MAX, 1),
            (Binary::Power, 10, 100),
            (Binary::Power, 2, 1 << 40),
            (Binary::FloorDivide, i128::MIN, -1),
        ] {
            assert!(compute_ints(operator, a, b).is_err());
        }
        assert!(
            matches!(compute_ints(Binary::Multiply, 1 << 40, 1 << 40), Ok(Value::Int(v)) if v == 1 << 80)
        );
    }
}
