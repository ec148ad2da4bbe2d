//! A JSON object that is read strictly: each key is taken once, and what is left is an error.

use serde_json::{Map, Value};

use super::fault::{Rule, SpecFault};

/// The keys of an object that nobody has taken yet, and where it stands.
#[derive(Debug)]
pub(super) struct Fields {
    at: String,
    left: Map<String, Value>,
}

impl Fields {
    pub(super) fn open(at: impl Into<String>, value: Value) -> Result<Self, SpecFault> {
        let at = at.into();
        match value {
            Value::Object(left) => Ok(Self { at, left }),
            _ => Err(SpecFault::new(at, Rule::WrongType("an object"))),
        }
    }

    /// Returns where a key stands.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.at, key.replace('~', "~0").replace('/', "~1"))
    }

    /// Makes the fault of a key.
    pub(super) fn fault(&self, key: &str, rule: Rule) -> SpecFault {
        SpecFault::new(self.at(key), rule)
    }

    /// Takes a key.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.left.shift_remove(key)
    }

    pub(super) fn require(&mut self, key: &'static str) -> Result<Value, SpecFault> {
        self.take(key).ok_or_else(|| SpecFault::new(&self.at, Rule::Missing(key)))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, SpecFault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(key, Rule::WrongType("a text"))),
        }
    }

    pub(super) fn require_text(&mut self, key: &'static str) -> Result<String, SpecFault> {
        self.text(key)?.ok_or_else(|| SpecFault::new(&self.at, Rule::Missing(key)))
    }

    /// Takes a list; without the key it is empty.
    pub(super) fn list(&mut self, key: &'static str) -> Result<Vec<Value>, SpecFault> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.fault(key, Rule::WrongType("a list"))),
        }
    }

    /// Takes an object; without the key it is empty.
    pub(super) fn object(&mut self, key: &'static str) -> Result<Self, SpecFault> {
        let value = self.take(key).unwrap_or_else(|| Value::Object(Map::new()));
        Self::open(self.at(key), value)
    }

    /// Takes all keys, whose names are free, with where each stands.
    pub(super) fn all(self) -> impl Iterator<Item = (String, String, Value)> {
        let at = self.at;
        self.left.into_iter().map(move |(key, value)| {
            let here = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            (key, here, value)
        })
    }

    /// Ends the object: nothing may be left.
    pub(super) fn end(self) -> Result<(), SpecFault> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(SpecFault::new(self.at(key), Rule::UnknownKey(key.clone()))),
        }
    }
}
