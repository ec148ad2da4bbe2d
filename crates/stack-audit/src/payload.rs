//! What an entry carries, and the one way in which JSON is written: RFC 8785 without floats.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

use crate::entry::{Format, PAYLOAD_MAX};

/// What an entry carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Payload {
    /// Nothing.
    #[default]
    None,
    /// JSON without floats.
    Json(Value),
    /// A text.
    Text(String),
    /// Anything.
    Bytes(Vec<u8>),
}

impl Payload {
    /// Returns the bytes that are committed to, and how they are to be read; `None` for no payload.
    ///
    /// # Errors
    ///
    /// When it is too long, or JSON that has no canonical form.
    pub fn encode(&self) -> Result<Option<(Format, Vec<u8>)>, BadPayload> {
        let (format, bytes) = match self {
            Self::None => return Ok(None),
            Self::Json(value) => (Format::Json, canonical(value)?),
            Self::Text(text) => (Format::Text, text.as_bytes().to_vec()),
            Self::Bytes(bytes) => (Format::Bytes, bytes.clone()),
        };
        if bytes.len() as u64 > PAYLOAD_MAX {
            return Err(BadPayload::TooLong);
        }
        Ok(Some((format, bytes)))
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// Writes JSON in its canonical form.
///
/// # Errors
///
/// For floats, integers beyond ±(2^53 − 1), and more than 64 levels.
pub fn canonical(value: &Value) -> Result<Vec<u8>, BadPayload> {
    let mut out = Vec::new();
    write(&mut out, value, LEVELS_MAX)?;
    Ok(out)
}

/// Reads JSON that must be in its canonical form. That every reader sees the same document follows: a duplicate key,
/// for one, would not be written again.
///
/// # Errors
///
/// When it is no JSON, or other bytes mean the same.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, BadPayload> {
    let value = serde_json::from_slice(bytes).map_err(|_| BadPayload::NotCanonical)?;
    if canonical(&value)? == bytes { Ok(value) } else { Err(BadPayload::NotCanonical) }
}

fn write(out: &mut Vec<u8>, value: &Value, levels: usize) -> Result<(), BadPayload> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => {
            let integer = number.as_i64().filter(|integer| integer.unsigned_abs() <= INTEGER_MAX);
            out.extend(integer.ok_or(BadPayload::Number)?.to_string().into_bytes());
        }
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            let levels = levels.checked_sub(1).ok_or(BadPayload::TooDeep)?;
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(out, item, levels)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            write_object(out, fields, levels.checked_sub(1).ok_or(BadPayload::TooDeep)?)?;
        }
    }
    Ok(())
}

fn write_object(out: &mut Vec<u8>, fields: &Map<String, Value>, levels: usize) -> Result<(), BadPayload> {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    // RFC 8785 compares UTF-16 code units, which differs from the order of code points above U+FFFF.
    fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (at, (key, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        write(out, value, levels)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            0x08 => out.extend(b"\\b"),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            0x0c => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").into_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Why something is no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPayload {
    /// It has more than 16 MiB.
    TooLong,
    /// Arrays and objects are nested too deeply.
    TooDeep,
    /// A number is no integer that every reader of JSON holds exactly.
    Number,
    /// It is not JSON in its canonical form.
    NotCanonical,
}

impl fmt::Display for BadPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a payload has at most {PAYLOAD_MAX} bytes; cut it off"),
            Self::TooDeep => write!(f, "the JSON has more than {LEVELS_MAX} levels"),
            Self::Number => f.write_str("numbers are integers within ±(2^53 − 1); write decimals as text"),
            Self::NotCanonical => f.write_str("the bytes are not JSON in its canonical form"),
        }
    }
}

impl Error for BadPayload {}

const LEVELS_MAX: usize = 64;
const INTEGER_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        String::from_utf8(canonical(value).unwrap()).unwrap()
    }

    #[test]
    fn one_document_has_one_form() {
        let value = json!({"b": [1, -2, true, null], "a": "\u{8}\t\n\u{c}\r\u{1}\"\\/é", "": {}});
        assert_eq!(
            written(&value),
            "{\"\":{},\"a\":\"\\b\\t\\n\\f\\r\\u0001\\\"\\\\/é\",\"b\":[1,-2,true,null]}"
        );
        // The example of RFC 8785, section 3.2.3.
        let keys =
            json!({"\u{20ac}": 0, "\r": 0, "\u{fb33}": 0, "1": 0, "\u{1f600}": 0, "\u{80}": 0, "\u{f6}": 0});
        assert_eq!(
            written(&keys),
            "{\"\\r\":0,\"1\":0,\"\u{80}\":0,\"\u{f6}\":0,\"\u{20ac}\":0,\"\u{1f600}\":0,\"\u{fb33}\":0}"
        );
        assert_eq!(parse_canonical(written(&value).as_bytes()), Ok(value));
    }

    #[test]
    fn numbers_are_exact_everywhere() {
        let extremes = json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64, 0]);
        assert_eq!(written(&extremes), "[9007199254740991,-9007199254740991,0]");
        for number in [json!(0.5), json!(9_007_199_254_740_992_i64), json!(u64::MAX), json!(1.0)] {
            assert_eq!(canonical(&number), Err(BadPayload::Number), "{number}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["{\"a\":1,\"a\":1}", "{\"b\":1,\"a\":1}", "[1, 2]", "\"\\u0041\"", "01", "-0", "1e2", "{}x", ""]
        {
            assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(canonical(&nested(64)).is_ok());
        assert_eq!(canonical(&nested(65)), Err(BadPayload::TooDeep));
        let long = Payload::Text("x".repeat(PAYLOAD_MAX as usize + 1));
        assert_eq!(long.encode(), Err(BadPayload::TooLong));
    }
}
