//! Slices: `value[start:stop:step]`.

use std::rc::Rc;

use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::text;
use super::value::{Range, Value};

impl Interpreter<'_> {
    /// `value[start:stop:step]`
    pub(super) fn slice(&mut self, value: &Value, bounds: &[Value; 3]) -> Outcome<Value> {
        if value.is_undefined() {
            return Err(value.refuse("cannot be sliced"));
        }
        let bound = |bound: &Value| match bound {
            Value::None => Ok(None),
            other => other.as_int().map(Some).ok_or_else(|| other.refuse("cannot be a bound of a slice")),
        };
        let (start, stop, step) = (bound(&bounds[0])?, bound(&bounds[1])?, bound(&bounds[2])?.unwrap_or(1));
        if step == 0 {
            return Err(Fault::failed("the step of a slice is zero"));
        }
        let indices = |length: usize| Indices::new(start, stop, step, length);
        match value {
            Value::Text(value) => {
                self.budget.pay_text(value.text.len())?;
                let range = indices(text::length(&value.text));
                if step == 1 {
                    let from = text::byte_of(&value.text, range.start);
                    let end = text::byte_of(&value.text[from..], range.count) + from;
                    return Ok(self.cut(value, &value.text[from..end]));
                }
                let chars: Vec<char> = value.text.chars().collect();
                let out: String = range.iter().map(|index| chars[index]).collect();
                Ok(self.respelled(value, out))
            }
            Value::List(seq) | Value::Tuple(seq) => {
                let range = indices(seq.items.len());
                self.budget.pay_items(range.count)?;
                let items = range.iter().map(|index| seq.items[index].clone()).collect();
                if matches!(value, Value::List(_)) { Value::list(items) } else { Value::tuple(items) }
            }
            Value::Range(range) => {
                let indices = indices(range.len());
                let at = |index: i128| range.start + range.step * index;
                let (start, stop) = (at(indices.first), at(indices.last));
                let step = range.step.checked_mul(step).filter(|step| step.unsigned_abs() < 1 << 110);
                let step = step.ok_or_else(|| Fault::failed("the step of a range becomes too large"))?;
                Ok(Value::Range(Rc::new(Range { start, stop, step })))
            }
            other => Err(other.refuse("cannot be sliced")),
        }
    }
}

/// The indices that a slice picks.
struct Indices {
    start: usize,
    first: i128,
    /// The first index that is not picked any more.
    last: i128,
    step: i128,
    count: usize,
}

impl Indices {
    fn new(start: Option<i128>, stop: Option<i128>, step: i128, length: usize) -> Self {
        let length = length as i128;
        let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let clamp = |bound: i128| {
            let bound = if bound < 0 { bound.saturating_add(length) } else { bound };
            bound.clamp(lowest, highest.max(lowest))
        };
        let (from, to) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
        let from = start.map_or(from, clamp);
        let to = stop.map_or(to, clamp);
        let distance = if step > 0 { to - from } else { from - to };
        let count = if distance > 0 { (distance - 1) / step.saturating_abs() + 1 } else { 0 };
        Self { start: from.max(0) as usize, first: from, last: to, step, count: count as usize }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count as i128).map(|index| (self.first + index * self.step) as usize)
    }
}
