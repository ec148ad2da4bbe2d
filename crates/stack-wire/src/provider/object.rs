//! What providers say, read without trust: a field is of its kind, or the provider speaks otherwise than it used to.

use serde_json::{Map, Value};
use stack_chat::{Failure, FailureKind};

/// One object of a reply, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    at: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Opens a record.
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self { at: "", map }
    }

    /// Opens the object that stands at `at`.
    pub(super) fn open(at: &'static str, value: &'a Value) -> Result<Self, Failure> {
        match value {
            Value::Object(map) => Ok(Self { at, map }),
            other => Err(drift(at, "an object", other)),
        }
    }

    /// Returns a field that is there and not null.
    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Returns a text.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Failure> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(drift(&self.path(name), "a string", other)),
        }
    }

    /// Returns a text that must be there.
    pub(super) fn require_text(self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Returns a number that counts something.
    pub(super) fn count(self, name: &str) -> Result<Option<u64>, Failure> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(count) => Ok(Some(count)),
                None => Err(drift(&self.path(name), "a count", value)),
            },
        }
    }

    /// Tells whether a flag is there and set.
    pub(super) fn is_set(self, name: &str) -> Result<bool, Failure> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(drift(&self.path(name), "true or false", other)),
        }
    }

    /// Returns an object, which stands at `at`.
    pub(super) fn object(self, name: &str, at: &'static str) -> Result<Option<Self>, Failure> {
        self.value(name).map(|value| Self::open(at, value)).transpose()
    }

    /// Returns an object that must be there.
    pub(super) fn require_object(self, name: &str, at: &'static str) -> Result<Self, Failure> {
        self.object(name, at)?.ok_or_else(|| self.missing(name))
    }

    /// Returns the objects of a list, each of which stands at `at`; a list that is not there has none.
    pub(super) fn objects(self, name: &str, at: &'static str) -> Result<Vec<Self>, Failure> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(|value| Self::open(at, value)).collect(),
            Some(other) => Err(drift(&self.path(name), "a list", other)),
        }
    }

    /// Returns the whole object as JSON text.
    pub(super) fn json(self) -> String {
        Value::Object(self.map.clone()).to_string()
    }

    /// Returns the fields themselves.
    pub(super) fn map(self) -> &'a Map<String, Value> {
        self.map
    }

    /// Makes the failure of a field that must be there.
    pub(super) fn missing(self, name: &str) -> Failure {
        Failure::new(
            FailureKind::SchemaDrift,
            format!("`{}` is missing in what the provider sent", self.path(name)),
        )
    }

    fn path(self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }
}

/// Makes the failure of a value that is of another kind than the field at `path` used to be.
pub(super) fn drift(path: &str, expected: &str, got: &Value) -> Failure {
    let kind = match got {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Failure::new(
        FailureKind::SchemaDrift,
        format!("`{path}` is {kind} in what the provider sent, and not {expected}"),
    )
}

/// Makes the failure of a word that has no meaning here; `what` names the field.
pub(super) fn unknown_word(what: &str, word: &str) -> Failure {
    let shown: String = word.chars().take(64).collect();
    Failure::new(FailureKind::SchemaDrift, format!("the provider sent the unknown {what} {shown:?}"))
}
