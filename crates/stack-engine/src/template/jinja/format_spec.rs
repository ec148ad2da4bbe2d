//! Python's format specification mini-language, for `str.format`, and the layouts that `%` shares with it.

use super::fault::{Fault, Outcome};
use super::numbers::{Number, float_text};
use super::text::length;
use super::value::Value;

/// How a value is laid out: `[[fill]align][sign][#][0][width][,][.precision][type]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) fill: Option<char>,
    /// `<`, `>`, `^` or `=`.
    pub(super) align: Option<char>,
    /// `+`, `-` or a blank.
    pub(super) sign: Option<char>,
    pub(super) alternate: bool,
    pub(super) zero: bool,
    pub(super) width: usize,
    /// `,` or `_`.
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

impl Spec {
    /// Reads a specification.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let mut spec = Self::default();
        let mut rest = text;
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let is_align = |c: Option<char>| c.is_some_and(|c| matches!(c, '<' | '>' | '^' | '='));
        if is_align(second) {
            (spec.fill, spec.align) = (first, second);
            rest = chars.as_str();
        } else if is_align(first) {
            spec.align = first;
            rest = &rest[1..];
        }
        let mut skip = |set: &[char]| {
            let found = rest.chars().next().filter(|c| set.contains(c));
            rest = &rest[found.map_or(0, char::len_utf8)..];
            found
        };
        spec.sign = skip(&['+', '-', ' ']);
        let negative_zero = skip(&['z']);
        spec.alternate = skip(&['#']).is_some();
        spec.zero = skip(&['0']).is_some();
        let number = |rest: &mut &str| -> Outcome<Option<usize>> {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, behind) = rest.split_at(digits);
            *rest = behind;
            if digits == 0 {
                return Ok(None);
            }
            number.parse().ok().filter(|number| *number <= WIDTH_MAX).map(Some).ok_or_else(too_wide)
        };
        spec.width = number(&mut rest)?.unwrap_or(0);
        let skip = |rest: &mut &str, set: &[char]| {
            let found = rest.chars().next().filter(|c| set.contains(c));
            *rest = &rest[found.map_or(0, char::len_utf8)..];
            found
        };
        spec.grouping = skip(&mut rest, &[',', '_']);
        if skip(&mut rest, &['.']).is_some() {
            let precision = number(&mut rest)?;
            spec.precision = Some(precision.ok_or_else(|| Fault::failed("a format lacks its precision"))?);
        }
        let mut kind = rest.chars();
        spec.kind = kind.next();
        if kind.next().is_some() || negative_zero.is_some() {
            return Err(Fault::failed(format!("the format {text:?} is not valid")));
        }
        Ok(spec)
    }

    /// Lays a text out.
    pub(super) fn text(&self, text: &str) -> Outcome<String> {
        let refused = self.sign.is_some()
            || self.alternate
            || self.grouping.is_some()
            || self.align == Some('=')
            || !matches!(self.kind, None | Some('s'));
        if refused {
            return Err(Fault::failed("the format does not fit a text"));
        }
        let end = self.precision.map_or(text.len(), |precision| super::text::byte_of(text, precision));
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        Ok(self.padded(&text[..end], self.align.unwrap_or('<'), fill))
    }

    /// Lays a number out.
    pub(super) fn number(&self, value: &Value) -> Outcome<String> {
        match value {
            Value::Bool(flag) if self.kind.is_none() && self.is_plain() => {
                Ok(if *flag { "True" } else { "False" }.into())
            }
            value => match Number::of(value) {
                Some(Number::Int(value)) => self.int(value),
                Some(Number::Float(value)) => self.float(value),
                None => Err(value.refuse("is no number")),
            },
        }
    }

    fn is_plain(&self) -> bool {
        self.width == 0
            && self.sign.is_none()
            && self.precision.is_none()
            && !self.zero
            && self.grouping.is_none()
    }

    fn int(&self, value: i128) -> Outcome<String> {
        let kind = self.kind.unwrap_or('d');
        if matches!(kind, 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') {
            return self.float(value as f64);
        }
        if self.precision.is_some() {
            return Err(Fault::failed("the format of an integer has no precision"));
        }
        let (prefix, digits, group) = match kind {
            'c' => {
                let c = u32::try_from(value).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| Fault::failed("a number is no character"))?;
                return Ok(self.padded(&c.to_string(), self.align.unwrap_or('>'), self.fill.unwrap_or(' ')));
            }
            'd' | 'n' => ("", value.unsigned_abs().to_string(), 3),
            'x' => ("0x", format!("{:x}", value.unsigned_abs()), 4),
            'X' => ("0X", format!("{:X}", value.unsigned_abs()), 4),
            'o' => ("0o", format!("{:o}", value.unsigned_abs()), 4),
            'b' => ("0b", format!("{:b}", value.unsigned_abs()), 4),
            other => return Err(Fault::failed(format!("the format {other:?} does not fit an integer"))),
        };
        if kind != 'd' && self.grouping == Some(',') {
            return Err(Fault::failed("the format does not fit an integer"));
        }
        let prefix = if self.alternate { prefix } else { "" };
        Ok(self.signed(value < 0, prefix, &digits, "", group))
    }

    fn float(&self, value: f64) -> Outcome<String> {
        let (digits, tail) = match self.kind {
            None => self.shortest(value.abs()),
            Some('%') => {
                let text = fixed(value.abs() * 100.0, self.precision.unwrap_or(6), self.alternate);
                (text, "%")
            }
            Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n')) => {
                let kind = if kind == 'n' { 'g' } else { kind };
                (float_digits(value.abs(), kind, self.precision.unwrap_or(6), self.alternate), "")
            }
            Some(other) => return Err(Fault::failed(format!("the format {other:?} does not fit a float"))),
        };
        let at = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (whole, fraction) = digits.split_at(at);
        Ok(self.signed(
            value.is_sign_negative() && !value.is_nan(),
            "",
            whole,
            &format!("{fraction}{tail}"),
            3,
        ))
    }

    fn shortest(&self, value: f64) -> (String, &'static str) {
        let text = match self.precision {
            None => float_text(value),
            Some(precision) => {
                let text = float_digits(value, 'g', precision.max(1), false);
                // Unlike `g`, at least one digit stands behind the point, and `1e+16` starts one digit earlier.
                let plain = text.chars().all(|c| c.is_ascii_digit());
                if plain && text.len() >= precision.max(1) && value.is_finite() && value != 0.0 {
                    scientific(value, precision.max(1) - 1, true)
                } else if plain {
                    text + ".0"
                } else {
                    text
                }
            }
        };
        (text, "")
    }

    /// Puts sign, prefix, digits and what is behind them together, with groups and zeros.
    pub(super) fn signed(
        &self,
        negative: bool,
        prefix: &str,
        whole: &str,
        tail: &str,
        group: usize,
    ) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let zero = self.zero && self.align.is_none() || self.fill == Some('0') && self.align == Some('=');
        let is_number = whole.starts_with(|c: char| c.is_ascii_hexdigit()) && !tail.starts_with("nf");
        let mut digits = whole.to_owned();
        if zero && is_number {
            let taken = sign.len() + prefix.len() + tail.len();
            digits = self.zeroed(&digits, self.width.saturating_sub(taken), group);
        } else if let Some(separator) = self.grouping {
            digits = grouped(&digits, separator, group);
        }
        let align = self.align.unwrap_or(if self.zero { '=' } else { '>' });
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        if align == '=' {
            let missing = self.width.saturating_sub(length(sign) + prefix.len() + digits.len() + tail.len());
            let padding = fill.to_string().repeat(missing);
            return format!("{sign}{prefix}{padding}{digits}{tail}");
        }
        self.padded(&format!("{sign}{prefix}{digits}{tail}"), align, fill)
    }

    /// Fills digits up with zeros, which are grouped like the others.
    fn zeroed(&self, digits: &str, width: usize, group: usize) -> String {
        let Some(separator) = self.grouping else {
            return "0".repeat(width.saturating_sub(digits.len())) + digits;
        };
        let mut all = digits.to_owned();
        loop {
            let shown = grouped(&all, separator, group);
            if shown.len() >= width {
                return shown;
            }
            all.insert(0, '0');
        }
    }

    fn padded(&self, text: &str, align: char, fill: char) -> String {
        let missing = self.width.saturating_sub(length(text));
        let left = match align {
            '<' => 0,
            '^' => missing / 2,
            _ => missing,
        };
        let run = |count: usize| fill.to_string().repeat(count);
        format!("{}{text}{}", run(left), run(missing - left))
    }
}

fn grouped(digits: &str, separator: char, group: usize) -> String {
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(group) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// Returns the digits of a float that is not negative, in the layout of `e`, `f` or `g`.
pub(super) fn float_digits(value: f64, kind: char, precision: usize, alternate: bool) -> String {
    let text = if value.is_finite() {
        match kind {
            'e' | 'E' => scientific(value, precision, false),
            'f' | 'F' => fixed(value, precision, alternate),
            _ => general(value, precision.max(1), alternate),
        }
    } else {
        float_text(value)
    };
    if kind.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn fixed(value: f64, precision: usize, alternate: bool) -> String {
    if !value.is_finite() {
        return float_text(value);
    }
    let text = format!("{value:.precision$}");
    if alternate && precision == 0 { text + "." } else { text }
}

fn scientific(value: f64, precision: usize, trimmed: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = if trimmed && digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    };
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(value: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{value:.*e}", precision - 1);
    let exponent: i32 = text.split_once('e').map_or(0, |(_, exponent)| exponent.parse().unwrap_or(0));
    if exponent < -4 || exponent >= precision as i32 {
        return scientific(value, precision - 1, !alternate);
    }
    let text = fixed(value, (precision as i32 - 1 - exponent).max(0) as usize, alternate);
    if alternate || !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Refuses a width that is not meant to be seen.
pub(super) fn too_wide() -> Fault {
    Fault::exhausted("it formats to a width that is too large")
}

/// The largest width and precision.
pub(super) const WIDTH_MAX: usize = 9999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_laid_out_as_in_python() {
        for (spec, value, text) in [
            ("", Value::Float(1.5), "1.5"),
            (".2f", Value::Float(2.675), "2.67"),
            ("08.3f", Value::Float(-3.25159), "-003.252"),
            ("+,d", Value::Int(1_234_567), "+1,234,567"),
            ("012,", Value::Int(1234), "0,000,001,234"),
            ("#x", Value::Int(255), "0xff"),
            ("^9", Value::Int(-5), "   -5    "),
            ("*=+8", Value::Int(5), "+******5"),
            ("e", Value::Float(12345.678), "1.234568e+04"),
            ("g", Value::Float(1e-5), "1e-05"),
            (".3", Value::Float(1234.0), "1.23e+03"),
            (".1%", Value::Float(0.1234), "12.3%"),
            ("f", Value::Float(f64::INFINITY), "inf"),
        ] {
            assert_eq!(Spec::parse(spec).unwrap().number(&value).unwrap(), text, "{spec}");
        }
        assert!(Spec::parse("999999999").is_err());
    }
}
