//! Dictionaries: pairs in the order in which they came, found by their keys as Python compares keys.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::fault::Outcome;
use super::numbers::exact_int;
use super::value::{Value, depth_above};

/// A dictionary that does not change any more.
#[derive(Debug)]
pub(in crate::template) struct Dict {
    pub(super) pairs: Vec<(Value, Value)>,
    /// Where each key is, if there are many.
    index: HashMap<Key, usize>,
    depth: u32,
}

/// A value as a key: 1, 1.0 and true are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    None,
    Undefined,
    Int(i128),
    Float(u64),
    Text(Arc<str>),
    Tuple(Vec<Self>),
    /// An object that is equal to itself only.
    Object(usize),
}

impl Dict {
    pub(super) fn new(pairs: impl IntoIterator<Item = (Value, Value)>) -> Outcome<Self> {
        let pairs = pairs.into_iter();
        let mut dict =
            Self { pairs: Vec::with_capacity(pairs.size_hint().0.min(64)), index: HashMap::new(), depth: 1 };
        for (key, value) in pairs {
            let hashed = Key::of(&key)?;
            if let Some(at) = dict.find(&hashed)? {
                dict.pairs[at].1 = value;
                continue;
            }
            if dict.pairs.len() >= INDEXED_FROM {
                dict.index_all()?;
                dict.index.insert(hashed, dict.pairs.len());
            }
            dict.pairs.push((key, value));
        }
        dict.depth = depth_above(dict.pairs.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(dict)
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &Value) -> Outcome<Option<&Value>> {
        if let Value::Text(text) = key {
            return Ok(self.get_text(&text.text));
        }
        Ok(self.find(&Key::of(key)?)?.map(|at| &self.pairs[at].1))
    }

    /// Returns the value of a key that is a text.
    pub(super) fn get_text(&self, key: &str) -> Option<&Value> {
        if self.index.is_empty() {
            let is_key = |known: &Value| known.as_text().is_some_and(|known| *known.text == *key);
            return self.pairs.iter().find(|(known, _)| is_key(known)).map(|(_, value)| value);
        }
        self.index.get(&Key::Text(key.into())).map(|&at| &self.pairs[at].1)
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    fn find(&self, key: &Key) -> Outcome<Option<usize>> {
        if self.index.is_empty() {
            for (at, (known, _)) in self.pairs.iter().enumerate() {
                if Key::of(known)? == *key {
                    return Ok(Some(at));
                }
            }
            return Ok(None);
        }
        Ok(self.index.get(key).copied())
    }

    fn index_all(&mut self) -> Outcome<()> {
        if self.index.is_empty() {
            for (at, (key, _)) in self.pairs.iter().enumerate() {
                self.index.insert(Key::of(key)?, at);
            }
        }
        Ok(())
    }
}

impl Key {
    /// Returns the key that a value is; lists and dictionaries are none.
    pub(super) fn of(value: &Value) -> Outcome<Self> {
        let address = |address: *const ()| Ok(Self::Object(address as usize));
        match value {
            Value::None => Ok(Self::None),
            Value::Undefined(_) => Ok(Self::Undefined),
            Value::Bool(value) => Ok(Self::Int(i128::from(*value))),
            Value::Int(value) => Ok(Self::Int(*value)),
            Value::Float(value) => Ok(match exact_int(*value) {
                Some(value) => Self::Int(value),
                None => Self::Float(value.to_bits()),
            }),
            Value::Text(text) => Ok(Self::Text(text.text.clone())),
            Value::Tuple(seq) => Ok(Self::Tuple(seq.items.iter().map(Self::of).collect::<Outcome<_>>()?)),
            Value::Range(range) => Ok(Self::Tuple(vec![
                Self::Int(range.len() as i128),
                Self::Int(range.start),
                Self::Int(range.step),
            ])),
            Value::Namespace(object) => address(Rc::as_ptr(object).cast()),
            Value::Cycler(object) => address(Rc::as_ptr(object).cast()),
            Value::Joiner(object) => address(Rc::as_ptr(object).cast()),
            Value::Macro(object) => address(Rc::as_ptr(object).cast()),
            Value::Stream(object) => address(Rc::as_ptr(object).cast()),
            Value::Loop(object) => address(Rc::as_ptr(object).cast()),
            Value::Function(function) => Ok(Self::Object(*function as usize)),
            Value::List(_) | Value::Dict(_) | Value::View(..) | Value::Method(_) => {
                Err(value.refuse("cannot be a key"))
            }
        }
    }
}

/// From how many pairs on an index is kept; few keys are compared faster than hashed.
const INDEXED_FROM: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one_key() {
        let pairs = [Value::Int(1), Value::Bool(true), Value::Float(1.0), Value::text("1")];
        let dict = Dict::new(pairs.into_iter().map(|key| (key.clone(), key))).unwrap();
        assert_eq!(dict.len(), 2);
        assert!(matches!(dict.get(&Value::Int(1)).unwrap(), Some(Value::Float(_))));
        assert!(dict.get(&Value::list(Vec::new()).unwrap()).is_err());
    }

    #[test]
    fn many_keys_are_found_by_hash() {
        let dict = Dict::new((0..100).map(|n| (Value::text(n.to_string()), Value::Int(n)))).unwrap();
        assert!(matches!(dict.get_text("77"), Some(Value::Int(77))));
        assert!(dict.get_text("100").is_none());
    }
}
