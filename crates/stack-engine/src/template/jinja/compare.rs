//! Equality, order and membership, as Python has them: what cannot be ordered is an error.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::Comparison;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::items::Items;
use super::numbers::Number;
use super::value::{Value, View};

impl Interpreter<'_> {
    /// Compares two values.
    pub(super) fn compare(&mut self, comparison: Comparison, a: &Value, b: &Value) -> Outcome<bool> {
        match comparison {
            Comparison::Equal => self.equal(a, b),
            Comparison::NotEqual => Ok(!self.equal(a, b)?),
            Comparison::Less => self.ordered(a, b, "<", |order| order == Ordering::Less),
            Comparison::LessEqual => self.ordered(a, b, "<=", |order| order != Ordering::Greater),
            Comparison::Greater => self.ordered(a, b, ">", |order| order == Ordering::Greater),
            Comparison::GreaterEqual => self.ordered(a, b, ">=", |order| order != Ordering::Less),
            Comparison::In => self.contains(b, a),
            Comparison::NotIn => Ok(!self.contains(b, a)?),
        }
    }

    /// Returns whether two values are equal. Every node that is visited is paid for.
    pub(super) fn equal(&mut self, a: &Value, b: &Value) -> Outcome<bool> {
        if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
            return Ok(a.compare(b) == Some(Ordering::Equal));
        }
        match (a, b) {
            (Value::Undefined(_), Value::Undefined(_)) => Ok(true),
            (Value::Text(a), Value::Text(b)) => {
                self.budget.pay(a.text.len().min(b.text.len()))?;
                Ok(a.text == b.text)
            }
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
                if a.items.len() != b.items.len() {
                    return Ok(false);
                }
                Ok(self.first_difference(&a.items, &b.items)?.is_none())
            }
            (Value::Dict(a), Value::Dict(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in &a.pairs {
                    self.budget.step()?;
                    match b.get(key)? {
                        Some(other) if self.same_or_equal(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Value::Range(a), Value::Range(b)) => {
                let (length, other) = (a.len(), b.len());
                Ok(length == other
                    && (length == 0 || (a.start == b.start && (length == 1 || a.step == b.step))))
            }
            (Value::View(View::Keys, a), Value::View(View::Keys, b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, _) in &a.pairs {
                    self.budget.step()?;
                    if b.get(key)?.is_none() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::View(View::Items, a), Value::View(View::Items, b)) => {
                self.equal(&Value::Dict(a.clone()), &Value::Dict(b.clone()))
            }
            (Value::View(View::Values, a), Value::View(View::Values, b)) => Ok(Rc::ptr_eq(a, b)),
            (Value::Method(a), Value::Method(b)) => Ok(a.1 == b.1 && a.0.is_same(&b.0)),
            _ => Ok(a.is_same(b)),
        }
    }

    /// Items of containers are equal to themselves, even NaN.
    fn same_or_equal(&mut self, a: &Value, b: &Value) -> Outcome<bool> {
        Ok(a.is_same(b) || self.equal(a, b)?)
    }

    fn first_difference(&mut self, a: &[Value], b: &[Value]) -> Outcome<Option<usize>> {
        for (index, (a, b)) in a.iter().zip(b).enumerate() {
            self.budget.step()?;
            if !self.same_or_equal(a, b)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn ordered(
        &mut self,
        a: &Value,
        b: &Value,
        operator: &str,
        holds: fn(Ordering) -> bool,
    ) -> Outcome<bool> {
        if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
            return Ok(a.compare(b).is_some_and(holds));
        }
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => {
                self.budget.pay(a.text.len().min(b.text.len()))?;
                Ok(holds(a.text.cmp(&b.text)))
            }
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
                match self.first_difference(&a.items, &b.items)? {
                    Some(at) => self.ordered(&a.items[at], &b.items[at], operator, holds),
                    None => Ok(holds(a.items.len().cmp(&b.items.len()))),
                }
            }
            (Value::Undefined(missing), _) | (_, Value::Undefined(missing)) => {
                Err(Fault::failed(missing.message()))
            }
            _ => Err(Fault::failed(format!(
                "values of types {} and {} have no order ({operator})",
                a.type_name(),
                b.type_name()
            ))),
        }
    }

    /// Returns whether `a` sorts before `b`.
    pub(super) fn less(&mut self, a: &Value, b: &Value) -> Outcome<bool> {
        self.compare(Comparison::Less, a, b)
    }

    /// Returns whether a value is in a container.
    pub(super) fn contains(&mut self, container: &Value, wanted: &Value) -> Outcome<bool> {
        match container {
            Value::Text(text) => match wanted {
                Value::Text(wanted) => {
                    self.budget.pay(text.text.len())?;
                    Ok(text.text.contains(&*wanted.text))
                }
                other => Err(Fault::failed(format!(
                    "a text does not contain values of type {}",
                    other.type_name()
                ))),
            },
            Value::Dict(dict) | Value::View(View::Keys, dict) => Ok(dict.get(wanted)?.is_some()),
            Value::Range(range) => match Number::of(wanted) {
                Some(wanted) => {
                    let Number::Int(wanted) = whole(wanted) else { return Ok(false) };
                    let Some(from) = wanted.checked_sub(range.start) else { return Ok(false) };
                    let inside = from % range.step == 0 && from / range.step >= 0;
                    Ok(inside && from / range.step < range.len() as i128)
                }
                None => Ok(false),
            },
            Value::Namespace(_) | Value::Cycler(_) | Value::Joiner(_) | Value::Macro(_) | Value::Loop(_) => {
                Err(container.refuse("contains nothing"))
            }
            _ => {
                let mut items = Items::of(self, container)?;
                while let Some(item) = items.next(self)? {
                    self.budget.step()?;
                    if self.same_or_equal(&item, wanted)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Sorts by keys; equal ones keep their order.
    pub(super) fn sort(&mut self, mut keyed: Vec<(Value, Value)>, reverse: bool) -> Outcome<Vec<Value>> {
        // The sort of the standard library cannot stop at an error, so the first one is kept and ends the sort.
        let mut fault = None;
        let mut compare = |a: &(Value, Value), b: &(Value, Value)| {
            if fault.is_some() {
                return Ordering::Equal;
            }
            let result = self.budget.step().and_then(|()| {
                Ok(if self.less(&a.0, &b.0)? {
                    Ordering::Less
                } else if self.less(&b.0, &a.0)? {
                    Ordering::Greater
                } else {
                    Ordering::Equal
                })
            });
            result.unwrap_or_else(|error| {
                fault = Some(error);
                Ordering::Equal
            })
        };
        if let [only] = keyed.as_slice() {
            return Ok(vec![only.1.clone()]);
        }
        merge_sort(&mut keyed, &mut |a, b| if reverse { compare(b, a) } else { compare(a, b) });
        match fault {
            Some(fault) => Err(fault),
            None => Ok(keyed.into_iter().map(|(_, value)| value).collect()),
        }
    }
}

/// Sorts stably with any comparison: the one of the standard library may panic if the comparison is no order, which
/// NaN and stopped comparisons are not.
pub(super) fn merge_sort<T: Clone>(items: &mut Vec<T>, compare: &mut impl FnMut(&T, &T) -> Ordering) {
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for run in items.chunks(width * 2) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(a), Some(b)) = (left.first(), right.first()) {
                if compare(a, b) == Ordering::Greater {
                    merged.push(b.clone());
                    right = &right[1..];
                } else {
                    merged.push(a.clone());
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        width *= 2;
    }
}

fn whole(number: Number) -> Number {
    match number {
        Number::Float(value) => super::numbers::exact_int(value).map_or(number, Number::Int),
        Number::Int(_) => number,
    }
}
