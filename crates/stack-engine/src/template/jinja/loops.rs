//! The variable `loop`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::ast::For;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::items::Items;
use super::value::{Missing, Scope, Value};

/// Where a loop is. Looking at the next item reads it ahead.
#[derive(Debug)]
pub(in crate::template) struct LoopState {
    items: RefCell<Items>,
    length: Cell<Option<usize>>,
    /// The number of the current item, counted from 1; 0 before the first.
    index: Cell<usize>,
    previous: RefCell<Option<Value>>,
    current: RefCell<Option<Value>>,
    ahead: RefCell<Ahead>,
    changed: RefCell<Option<Value>>,
    depth: usize,
    /// The loop and the variables around it, if it is recursive.
    pub(super) recursion: Option<(Arc<For>, Rc<Scope>)>,
}

/// What was read ahead.
#[derive(Clone, Debug, Default)]
enum Ahead {
    #[default]
    Nothing,
    Item(Value),
    End,
}

impl LoopState {
    pub(super) fn new(items: Items, depth: usize, recursion: Option<(Arc<For>, Rc<Scope>)>) -> Self {
        Self {
            length: Cell::new(items.len()),
            items: RefCell::new(items),
            index: Cell::new(0),
            previous: RefCell::default(),
            current: RefCell::default(),
            ahead: RefCell::default(),
            changed: RefCell::default(),
            depth,
            recursion,
        }
    }

    /// Goes to the next item.
    pub(super) fn advance(&self, interpreter: &mut Interpreter<'_>) -> Outcome<Option<Value>> {
        let next = match self.ahead.take() {
            Ahead::Item(item) => Some(item),
            Ahead::End => None,
            Ahead::Nothing => self.items.borrow_mut().next(interpreter)?,
        };
        if let Some(item) = &next {
            self.index.set(self.index.get() + 1);
            let previous = self.current.replace(Some(item.clone()));
            *self.previous.borrow_mut() = previous;
        }
        Ok(next)
    }

    /// Lets go of all values: one of them may be this loop.
    pub(super) fn finish(&self) {
        self.items.replace(Items::Empty);
        self.previous.take();
        self.current.take();
        self.ahead.take();
        self.changed.take();
    }

    pub(super) fn depth(&self) -> usize {
        self.depth + 1
    }

    fn ahead(&self, interpreter: &mut Interpreter<'_>) -> Outcome<Option<Value>> {
        let ahead = self.ahead.borrow().clone();
        match ahead {
            Ahead::Item(item) => Ok(Some(item)),
            Ahead::End => Ok(None),
            Ahead::Nothing => {
                let next = self.items.borrow_mut().next(interpreter)?;
                *self.ahead.borrow_mut() = next.clone().map_or(Ahead::End, Ahead::Item);
                Ok(next)
            }
        }
    }

    pub(super) fn length(&self, interpreter: &mut Interpreter<'_>) -> Outcome<usize> {
        if let Some(length) = self.length.get() {
            return Ok(length);
        }
        let items = self.items.replace(Items::Empty);
        let mut rest = items.collect(interpreter)?;
        let ahead = usize::from(matches!(*self.ahead.borrow(), Ahead::Item(_)));
        let length = self.index.get() + ahead + rest.len();
        rest.reverse();
        *self.items.borrow_mut() = Items::Reversed(rest);
        self.length.set(Some(length));
        Ok(length)
    }

    /// Returns an attribute; `None` if there is none of this name.
    pub(super) fn attribute(&self, name: &str, interpreter: &mut Interpreter<'_>) -> Outcome<Option<Value>> {
        let index = self.index.get();
        let number = |number: usize| Value::Int(number as i128);
        Ok(Some(match name {
            "index" => number(index),
            "index0" => Value::Int(index as i128 - 1),
            "revindex" => Value::Int(self.length(interpreter)? as i128 - index as i128 + 1),
            "revindex0" => Value::Int(self.length(interpreter)? as i128 - index as i128),
            "first" => Value::Bool(index == 1),
            "last" => Value::Bool(self.ahead(interpreter)?.is_none()),
            "length" => number(self.length(interpreter)?),
            "depth" => number(self.depth + 1),
            "depth0" => number(self.depth),
            "previtem" => match &*self.previous.borrow() {
                Some(item) if index > 1 => item.clone(),
                _ => Value::Undefined(Missing::Reason("there is no previous item")),
            },
            "nextitem" => {
                self.ahead(interpreter)?.unwrap_or(Value::Undefined(Missing::Reason("there is no next item")))
            }
            _ => return Ok(None),
        }))
    }

    /// `loop.cycle(…)`
    pub(super) fn cycle(&self, items: &[Value]) -> Outcome<Value> {
        if items.is_empty() {
            return Err(Fault::failed("loop.cycle has nothing to cycle through"));
        }
        Ok(items[self.index.get().saturating_sub(1) % items.len()].clone())
    }

    /// `loop.changed(…)`
    pub(super) fn changed(&self, values: Vec<Value>, interpreter: &mut Interpreter<'_>) -> Outcome<bool> {
        let values = Value::tuple(values)?;
        let last = self.changed.borrow().clone();
        let same = match &last {
            Some(last) => interpreter.equal(last, &values)?,
            None => false,
        };
        if !same {
            *self.changed.borrow_mut() = Some(values);
        }
        Ok(!same)
    }

    pub(super) fn shown(&self) -> Outcome<String> {
        let length =
            self.length.get().ok_or_else(|| Fault::failed("the length of the loop is not known yet"))?;
        Ok(format!("<LoopContext {}/{length}>", self.index.get()))
    }
}
