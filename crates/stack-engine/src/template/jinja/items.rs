//! Reading the items of a value one after the other.

use std::rc::Rc;

use super::dict::Dict;
use super::fault::Outcome;
use super::interpreter::Interpreter;
use super::value::{Seq, Str, Stream, Value, View};

/// The items of a value that are left to read.
#[derive(Debug)]
pub(super) enum Items {
    Empty,
    Seq(Rc<Seq>, usize),
    Pairs(View, Rc<Dict>, usize),
    Text(Str, usize),
    Range(Rc<super::value::Range>, usize),
    Stream(Rc<Stream>),
    /// Values that nobody else has, the last first.
    Reversed(Vec<Value>),
}

impl Items {
    /// Returns the items of a value, as Python's `iter`.
    pub(super) fn of(_: &mut Interpreter<'_>, value: &Value) -> Outcome<Self> {
        Self::maybe_of(value).ok_or_else(|| value.refuse("cannot be iterated over"))
    }

    /// Returns the items of a value that can be iterated over.
    pub(super) fn maybe_of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Undefined(_) => Self::Empty,
            Value::List(seq) | Value::Tuple(seq) => Self::Seq(seq.clone(), 0),
            Value::Dict(dict) => Self::Pairs(View::Keys, dict.clone(), 0),
            Value::View(view, dict) => Self::Pairs(*view, dict.clone(), 0),
            Value::Text(text) => Self::Text(text.clone(), 0),
            Value::Range(range) => Self::Range(range.clone(), 0),
            Value::Stream(stream) => Self::Stream(stream.clone()),
            _ => return None,
        })
    }

    /// Returns how many items there are; `None` if only reading them tells.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Empty => 0,
            Self::Seq(seq, at) => seq.items.len() - at,
            Self::Pairs(_, dict, at) => dict.len() - at,
            Self::Text(text, at) => super::text::length(&text.text[*at..]),
            Self::Range(range, at) => range.len() - at,
            Self::Reversed(items) => items.len(),
            Self::Stream(_) => return None,
        })
    }

    /// Returns the next item.
    pub(super) fn next(&mut self, interpreter: &mut Interpreter<'_>) -> Outcome<Option<Value>> {
        interpreter.budget.pay_items(1)?;
        Ok(match self {
            Self::Empty => None,
            Self::Seq(seq, at) => {
                let item = seq.items.get(*at).cloned();
                *at += usize::from(item.is_some());
                item
            }
            Self::Pairs(view, dict, at) => {
                let pair = dict.pairs.get(*at);
                *at += usize::from(pair.is_some());
                match (pair, view) {
                    (None, _) => None,
                    (Some((key, _)), View::Keys) => Some(key.clone()),
                    (Some((_, value)), View::Values) => Some(value.clone()),
                    (Some((key, value)), View::Items) => {
                        Some(Value::tuple(vec![key.clone(), value.clone()])?)
                    }
                }
            }
            Self::Text(text, at) => {
                let next = text.text[*at..].chars().next();
                next.map(|c| {
                    *at += c.len_utf8();
                    let mut buffer = [0; 4];
                    Value::text(&*c.encode_utf8(&mut buffer)).with_caller(text.from_caller)
                })
            }
            Self::Range(range, at) => {
                let more = *at < range.len();
                *at += usize::from(more);
                more.then(|| range.item(*at - 1))
            }
            Self::Stream(stream) => {
                let item = stream.items.borrow_mut().pop_front();
                if item.is_none()
                    && let Some(fault) = stream.fault.borrow_mut().take()
                {
                    return Err(fault);
                }
                item
            }
            Self::Reversed(items) => items.pop(),
        })
    }

    /// Reads all items that are left.
    pub(super) fn collect(mut self, interpreter: &mut Interpreter<'_>) -> Outcome<Vec<Value>> {
        let mut all = Vec::with_capacity(self.len().unwrap_or(0).min(1024));
        while let Some(item) = self.next(interpreter)? {
            all.push(item);
        }
        Ok(all)
    }
}

impl Interpreter<'_> {
    /// Returns all items of a value.
    pub(super) fn collect(&mut self, value: &Value) -> Outcome<Vec<Value>> {
        Items::of(self, value)?.collect(self)
    }

    /// Returns `len(value)`.
    pub(super) fn length(&mut self, value: &Value) -> Outcome<usize> {
        if let Value::Loop(state) = value {
            return state.length(self);
        }
        if let Value::Text(text) = value {
            self.budget.pay(text.text.len())?;
        }
        let items = Items::maybe_of(value).and_then(|items| items.len());
        items.ok_or_else(|| value.refuse("has no length"))
    }
}
