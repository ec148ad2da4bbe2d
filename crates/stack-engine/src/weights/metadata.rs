//! Typed access to a model's metadata.

use std::collections::HashMap;
use std::fmt;

/// A metadata value, in the types that GGUF knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// Bytes that are usually, but need not be, UTF-8.
    String(Vec<u8>),
    /// Values of one type.
    Array(Vec<Value>),
    /// An array of f32, kept flat: vocabularies have many scores.
    Floats(Vec<f32>),
    /// An array of integers, kept flat.
    Integers(Vec<i64>),
    /// An array of strings.
    Strings(Vec<Vec<u8>>),
}

/// The metadata of a model, by key.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    values: HashMap<String, Value>,
    keys: Vec<String>,
}

/// A key that is missing where it is needed, or holds something else than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataError {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata key {}: {}", self.key, self.problem)
    }
}

impl std::error::Error for MetadataError {}

impl Metadata {
    /// Adds a value; returns false, and changes nothing, if the key is already there.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) -> bool {
        let key = key.into();
        if self.values.contains_key(&key) {
            return false;
        }
        self.keys.push(key.clone());
        self.values.insert(key, value);
        true
    }

    /// Iterates over keys and values in file order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.keys.iter().map(|key| (key.as_str(), &self.values[key]))
    }

    /// Returns the raw value.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Returns an integer that fits `usize`.
    pub fn integer(&self, key: &str) -> Result<Option<usize>, MetadataError> {
        self.with(key, "a non-negative integer", |value| value.as_i64().and_then(|n| usize::try_from(n).ok()))
    }

    /// Returns a number.
    pub fn float(&self, key: &str) -> Result<Option<f32>, MetadataError> {
        self.with(key, "a number", |value| match value {
            Value::Float(x) => Some(*x as f32),
            other => other.as_i64().map(|n| n as f32),
        })
    }

    /// Returns a boolean.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, MetadataError> {
        self.with(key, "a boolean", |value| match value {
            Value::Bool(b) => Some(*b),
            _ => None,
        })
    }

    /// Returns UTF-8 text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, MetadataError> {
        self.with(key, "UTF-8 text", |value| match value {
            Value::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// Returns a list of integers; booleans count as 0 and 1, a single value as a list of one.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, MetadataError> {
        self.with(key, "a list of integers", |value| match value {
            Value::Integers(list) => Some(list.clone()),
            Value::Array(list) => list.iter().map(Value::as_i64).collect(),
            other => other.as_i64().map(|n| vec![n]),
        })
    }

    /// Returns a list of numbers; a single value counts as a list of one.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, MetadataError> {
        self.with(key, "a list of numbers", |value| match value {
            Value::Floats(list) => Some(list.clone()),
            Value::Integers(list) => Some(list.iter().map(|&n| n as f32).collect()),
            Value::Float(x) => Some(vec![*x as f32]),
            _ => None,
        })
    }

    /// Returns a list of byte strings.
    pub fn strings(&self, key: &str) -> Result<Option<&[Vec<u8>]>, MetadataError> {
        self.with(key, "a list of strings", |value| match value {
            Value::Strings(list) => Some(list.as_slice()),
            _ => None,
        })
    }

    fn with<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, MetadataError> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        match read(value) {
            Some(found) => Ok(Some(found)),
            None => Err(MetadataError {
                key: key.to_owned(),
                problem: format!("expected {expected}, found {}", value.kind()),
            }),
        }
    }
}

impl Value {
    /// Returns an integer or boolean as `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Unsigned(n) => i64::try_from(*n).ok(),
            Self::Signed(n) => Some(*n),
            Self::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// Whether the value says nothing: zero, −1 (also without its sign), false, no text, an empty list, or a list of
    /// such.
    pub fn is_neutral(&self) -> bool {
        match self {
            Self::Unsigned(number) => *number == 0 || *number == u64::from(u32::MAX),
            Self::Signed(number) => *number == 0 || *number == -1,
            Self::Float(number) => *number == 0.0 || *number == -1.0,
            Self::Bool(flag) => !flag,
            Self::String(text) => text.is_empty(),
            Self::Array(list) => list.iter().all(Self::is_neutral),
            Self::Floats(list) => list.iter().all(|&number| number == 0.0),
            Self::Integers(list) => list.iter().all(|&number| number == 0 || number == -1),
            Self::Strings(list) => list.is_empty(),
        }
    }

    /// Names the type, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Signed(_) => "a signed integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Floats(_) => "an array of numbers",
            Self::Integers(_) => "an array of integers",
            Self::Strings(_) => "an array of strings",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_say_nothing_are_told_from_those_that_do() {
        for neutral in [
            Value::Unsigned(0),
            Value::Unsigned(0xFFFF_FFFF),
            Value::Signed(-1),
            Value::Float(0.0),
            Value::Bool(false),
            Value::String(Vec::new()),
            Value::Integers(vec![0, -1]),
            Value::Floats(vec![0.0]),
        ] {
            assert!(neutral.is_neutral(), "{neutral:?}");
        }
        for telling in [
            Value::Unsigned(1),
            Value::Float(f64::NAN),
            Value::Bool(true),
            Value::String(b"x".to_vec()),
            Value::Integers(vec![0, 1]),
            Value::Strings(vec![b"a".to_vec()]),
        ] {
            assert!(!telling.is_neutral(), "{telling:?}");
        }
    }
}
