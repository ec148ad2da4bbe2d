//! A JSON object, taken apart field by field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use stack_chat::{Failure, FailureKind};

use crate::{Ignored, encoding, limits};

/// The fields of one object that nobody has taken yet.
///
/// Each accessor removes the field that it reads, so whatever is left at the end is unknown. A `null` counts as an
/// absent field, as clients send it for options that they leave alone.
pub(crate) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Parses a request body, which must be one JSON object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let invalid = |message| Failure::new(FailureKind::InvalidRequest, message);
        encoding::check(body)?;
        limits::check(body)?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self { path: String::new(), map }),
            Ok(other) => Err(invalid(format!("the body must be a JSON object, not {}", kind(&other)))),
            Err(error) => Err(invalid(format!("the body is not valid JSON: {error}"))),
        }
    }

    /// Opens the object at `path`.
    pub(crate) fn open(path: String, value: Value) -> Result<Self, Failure> {
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            other => Err(mismatch(path, "an object", &other)),
        }
    }

    /// Returns the full name of the field `name`, such as `messages[2].content`.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field of any kind.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field that must be present.
    pub(crate) fn require(&mut self, name: &str) -> Result<Value, Failure> {
        self.take(name).ok_or_else(|| self.missing(name))
    }

    /// Takes `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(mismatch(self.path(name), "true or false", &other)),
        }
    }

    /// Takes a number within `range`.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<f32>) -> Result<Option<f32>, Failure> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().map(|wide| wide as f32);
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(mismatch(self.path(name), &format!("a number {}", span(&range)), &value)),
        }
    }

    /// Takes a whole number within `range`.
    pub(crate) fn integer<T>(&mut self, name: &str, range: RangeInclusive<T>) -> Result<Option<T>, Failure>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|wide| T::try_from(wide).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(mismatch(self.path(name), &format!("an integer {}", span(&range)), &value)),
        }
    }

    /// Takes a string of at most `bytes_max` bytes.
    pub(crate) fn text(&mut self, name: &str, bytes_max: usize) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= bytes_max => Ok(Some(text)),
            Some(Value::String(_)) => Err(too_long(self.path(name), bytes_max)),
            Some(other) => Err(mismatch(self.path(name), "a string", &other)),
        }
    }

    /// Takes a string of at most `bytes_max` bytes that must be present.
    pub(crate) fn require_text(&mut self, name: &str, bytes_max: usize) -> Result<String, Failure> {
        self.text(name, bytes_max)?.ok_or_else(|| self.missing(name))
    }

    /// Takes a list of at most `len_max` values.
    pub(crate) fn list(&mut self, name: &str, len_max: usize) -> Result<Option<Vec<Value>>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                bounded(&self.path(name), values.len(), len_max)?;
                Ok(Some(values))
            }
            Some(other) => Err(mismatch(self.path(name), "an array", &other)),
        }
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Failure> {
        let path = self.path(name);
        self.take(name).map(|value| Self::open(path, value)).transpose()
    }

    /// Makes the error for a field that must be present.
    pub(crate) fn missing(&self, name: &str) -> Failure {
        let path = self.path(name);
        let message = format!("`{path}` is required");
        Failure::invalid(path, message)
    }

    /// Looks at the remaining fields.
    pub(crate) fn rest(&self) -> &Map<String, Value> {
        &self.map
    }

    /// Returns the remaining fields, in no particular order.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = (String, Value)> {
        self.map.into_iter()
    }

    /// Notes every remaining field as ignored, under `path` instead of the object's own (`messages[]` rather than
    /// `messages[17]`), so that the list stays short.
    pub(crate) fn ignore_rest(self, path: &str, ignored: &mut Ignored) {
        for (name, _) in self.map.iter().filter(|(_, value)| !value.is_null()) {
            if path.is_empty() {
                ignored.note(name);
            } else {
                ignored.note(&format!("{path}.{name}"));
            }
        }
    }
}

/// Makes the error for a value that is not what the field at `path` takes.
pub(crate) fn mismatch(path: String, expected: &str, got: &Value) -> Failure {
    let message = format!("`{path}` must be {expected}, not {}", kind(got));
    Failure::invalid(path, message)
}

/// Makes the error for a text at `path` that is longer than `bytes_max` bytes.
pub(crate) fn too_long(path: String, bytes_max: usize) -> Failure {
    let message = format!("`{path}` is longer than {bytes_max} bytes");
    Failure::invalid(path, message)
}

/// Checks the length of the list at `path`.
pub(crate) fn bounded(path: &str, len: usize, len_max: usize) -> Result<(), Failure> {
    if len <= len_max {
        return Ok(());
    }
    Err(Failure::invalid(path, format!("`{path}` has {len} entries; at most {len_max} are allowed")))
}

/// Names what a value is, without repeating long texts.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.len() <= 32 => format!("the string {text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn span<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("from {} to {}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).expect("test input is an object")
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(fields(r#"{"a": null}"#).flag("a").unwrap(), None);
        assert!(fields(r#"{"a": null}"#).require("a").is_err());
    }

    #[test]
    fn numbers_out_of_range_name_field_and_range() {
        for json in [r#"{"n": -1}"#, r#"{"n": 2.5}"#, r#"{"n": 1e300}"#, r#"{"n": 99999999999999999999}"#] {
            let error = fields(json).number("n", 0.0..=2.0).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("n"));
            assert!(error.message.contains("from 0 to 2"), "{}", error.message);
            assert!(fields(json).integer("n", 1_u32..=10).is_err(), "{json}");
        }
        assert!(fields(r#"{"n": 5.0}"#).integer("n", 1_u32..=10).is_err());
        assert_eq!(fields(r#"{"n": 5}"#).integer("n", 1_u32..=10).unwrap(), Some(5));
    }

    #[test]
    fn bodies_that_are_no_objects_are_refused() {
        for body in
            [&b""[..], b"{", b"[]", b"null", b"\"a\"", b"{\"a\": \"\xff\"}", b"{} {}", b"{\"a\":1e999}"]
        {
            assert!(Fields::parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn what_is_left_is_ignored_by_name() {
        let mut ignored = Ignored::default();
        let mut fields = fields(r#"{"a": 1, "b": 2, "c": null}"#);
        fields.take("a");
        fields.ignore_rest("messages[]", &mut ignored);
        assert_eq!(ignored.header_value().as_deref(), Some("messages[].b"));
    }
}
