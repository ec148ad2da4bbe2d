//! The values of a template: those of Python that templates can see.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::ast::Macro;
use super::dict::Dict;
use super::fault::{Fault, Outcome};
use super::loops::LoopState;

/// A value.
#[derive(Clone, Debug)]
pub(in crate::template) enum Value {
    Undefined(Missing),
    None,
    Bool(bool),
    /// Python's integers have no bound; these have 128 bits and say so when that is not enough.
    Int(i128),
    Float(f64),
    Text(Str),
    List(Rc<Seq>),
    Tuple(Rc<Seq>),
    Dict(Rc<Dict>),
    /// What `keys()`, `values()` and `items()` of a dictionary return.
    View(View, Rc<Dict>),
    Range(Rc<Range>),
    /// What is computed as it is read, and can be read once.
    Stream(Rc<Stream>),
    Namespace(Rc<Namespace>),
    Loop(Rc<LoopState>),
    Cycler(Rc<Cycler>),
    Joiner(Rc<Joiner>),
    Macro(Rc<Closure>),
    Function(Function),
    /// A method that is not called yet.
    Method(Rc<(Self, Arc<str>)>),
}

/// A text.
#[derive(Clone, Debug)]
pub(in crate::template) struct Str {
    pub(super) text: Arc<str>,
    /// Whether it counts as HTML already, as after the filter `escape`.
    pub(super) safe: bool,
    /// Whether a part of it may be a caller's.
    pub(super) from_caller: bool,
}

/// What an undefined value was looked for as.
#[derive(Clone, Debug)]
pub(in crate::template) enum Missing {
    /// A variable.
    Name(Arc<str>),
    /// A variable that is assigned to later.
    Unset(Arc<str>),
    /// An attribute of a value of some type.
    Attribute(&'static str, Arc<str>),
    /// An item of a value of some type.
    Item(&'static str),
    /// An attribute that the sandbox hides.
    Unsafe(Arc<str>),
    Reason(&'static str),
}

/// The items of a list or a tuple.
#[derive(Debug)]
pub(in crate::template) struct Seq {
    pub(super) items: Vec<Value>,
    /// How deep containers lie in each other.
    pub(super) depth: u32,
    /// Whether it is a pair that `groupby` made, whose items have names.
    pub(super) is_group: bool,
}

/// What a view of a dictionary shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum View {
    Keys,
    Values,
    Items,
}

/// Evenly spaced integers.
#[derive(Clone, Copy, Debug)]
pub(in crate::template) struct Range {
    pub(super) start: i128,
    pub(super) stop: i128,
    pub(super) step: i128,
}

/// Values that are read once; reading may end in an error.
#[derive(Debug, Default)]
pub(in crate::template) struct Stream {
    pub(super) items: RefCell<VecDeque<Value>>,
    pub(super) fault: RefCell<Option<Fault>>,
    pub(super) depth: u32,
}

/// Variables that keep their values when a loop ends.
#[derive(Debug, Default)]
pub(in crate::template) struct Namespace {
    pub(super) attributes: RefCell<Vec<(Arc<str>, Value)>>,
}

#[derive(Debug)]
pub(in crate::template) struct Cycler {
    pub(super) items: Rc<Seq>,
    pub(super) position: Cell<usize>,
}

#[derive(Debug)]
pub(in crate::template) struct Joiner {
    pub(super) separator: Value,
    pub(super) used: Cell<bool>,
}

/// A macro, and the variables that it sees.
#[derive(Debug)]
pub(in crate::template) struct Closure {
    pub(super) definition: Arc<Macro>,
    pub(super) scope: Rc<Scope>,
}

/// The variables of a block, and those around it.
#[derive(Debug, Default)]
pub(in crate::template) struct Scope {
    pub(super) variables: RefCell<Vec<(Arc<str>, Value)>>,
    pub(super) parent: Option<Rc<Scope>>,
}

/// A function that every template finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Function {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    RaiseException,
    StrftimeNow,
}

impl Value {
    /// Makes a text.
    pub(in crate::template) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(Str::plain(text))
    }

    /// Makes a text that a caller wrote.
    pub(in crate::template) fn caller_text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(Str { from_caller: true, ..Str::plain(text) })
    }

    /// Returns whether a text of a caller may be in the value.
    pub(super) fn is_from_caller(&self) -> bool {
        match self {
            Self::Text(text) => text.from_caller,
            Self::List(_)
            | Self::Tuple(_)
            | Self::Dict(_)
            | Self::View(..)
            | Self::Stream(_)
            | Self::Namespace(_) => true,
            _ => false,
        }
    }

    /// Notes that a part of a text is a caller's.
    pub(super) fn with_caller(mut self, from_caller: bool) -> Self {
        if let Self::Text(text) = &mut self {
            text.from_caller |= from_caller;
        }
        self
    }

    /// Makes a list.
    pub(in crate::template) fn list(items: Vec<Self>) -> Outcome<Self> {
        Ok(Self::List(Rc::new(Seq::new(items)?)))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Outcome<Self> {
        Ok(Self::Tuple(Rc::new(Seq::new(items)?)))
    }

    /// Makes a dictionary; a key that occurs twice has the last value.
    pub(in crate::template) fn dict(pairs: impl IntoIterator<Item = (Self, Self)>) -> Outcome<Self> {
        Ok(Self::Dict(Rc::new(Dict::new(pairs)?)))
    }

    pub(super) fn stream(items: Vec<Self>, fault: Option<Fault>) -> Outcome<Self> {
        let depth = depth_above(&items)?;
        let (items, fault) = (RefCell::new(items.into()), RefCell::new(fault));
        Ok(Self::Stream(Rc::new(Stream { items, fault, depth })))
    }

    /// Returns how deep containers lie in each other.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Self::List(seq) | Self::Tuple(seq) => seq.depth,
            Self::Dict(dict) | Self::View(_, dict) => dict.depth(),
            Self::Stream(stream) => stream.depth,
            Self::Cycler(cycler) => cycler.items.depth + 1,
            Self::Joiner(joiner) => joiner.separator.depth() + 1,
            Self::Method(method) => method.0.depth() + 1,
            _ => 0,
        }
    }

    /// Returns whether the value counts as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.text.is_empty(),
            Self::List(seq) | Self::Tuple(seq) => !seq.items.is_empty(),
            Self::Dict(dict) | Self::View(_, dict) => !dict.is_empty(),
            Self::Range(range) => range.len() > 0,
            _ => true,
        }
    }

    /// Returns the value as an integer if it is one; booleans are integers.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&Str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// Returns the name of the type, as Python's messages have it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(Str { safe: true, .. }) => "Markup",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Stream(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Loop(_) => "LoopContext",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Macro(_) => "Macro",
            Self::Function(_) => "function",
            Self::Method(_) => "method",
        }
    }

    /// Returns whether both are one object, as Python's `is` has it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            // CPython keeps one object per small number and per literal.
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a.text == b.text && a.safe == b.safe,
            (Self::List(a), Self::List(b)) => Rc::ptr_eq(a, b),
            (Self::Tuple(a), Self::Tuple(b)) => {
                Rc::ptr_eq(a, b) || (a.items.is_empty() && b.items.is_empty())
            }
            (Self::Dict(a), Self::Dict(b)) => Rc::ptr_eq(a, b),
            (Self::Range(a), Self::Range(b)) => Rc::ptr_eq(a, b),
            (Self::Stream(a), Self::Stream(b)) => Rc::ptr_eq(a, b),
            (Self::Namespace(a), Self::Namespace(b)) => Rc::ptr_eq(a, b),
            (Self::Loop(a), Self::Loop(b)) => Rc::ptr_eq(a, b),
            (Self::Cycler(a), Self::Cycler(b)) => Rc::ptr_eq(a, b),
            (Self::Joiner(a), Self::Joiner(b)) => Rc::ptr_eq(a, b),
            (Self::Macro(a), Self::Macro(b)) => Rc::ptr_eq(a, b),
            (Self::Function(a), Self::Function(b)) => a == b,
            _ => false,
        }
    }

    /// The error of doing something with a value that is undefined, or of another type.
    pub(super) fn refuse(&self, what: &str) -> Fault {
        match self {
            Self::Undefined(missing) => Fault::failed(missing.message()),
            other => Fault::failed(format!("a value of type {} {what}", other.type_name())),
        }
    }
}

impl Str {
    pub(super) fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), safe: false, from_caller: false }
    }

    /// Makes a text of the same kind.
    pub(super) fn with(&self, text: impl Into<Arc<str>>) -> Value {
        Value::Text(Self { text: text.into(), safe: self.safe, from_caller: self.from_caller })
    }
}

impl Missing {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Name(name) | Self::Unset(name) => format!("{name:?} is undefined"),
            Self::Attribute(of, name) => {
                format!("a value of type {of} has no attribute {name:?}: it is undefined")
            }
            Self::Item(of) => format!("a value of type {of} has no such item: it is undefined"),
            Self::Unsafe(name) => format!("the attribute {name:?} is not available to templates"),
            Self::Reason(reason) => (*reason).to_owned(),
        }
    }
}

impl Seq {
    fn new(items: Vec<Value>) -> Outcome<Self> {
        let depth = depth_above(&items)?;
        Ok(Self { items, depth, is_group: false })
    }

    /// Makes a pair of `groupby`.
    pub(super) fn group(key: Value, items: Value) -> Outcome<Value> {
        let seq = Self { is_group: true, ..Self::new(vec![key, items])? };
        Ok(Value::Tuple(Rc::new(seq)))
    }
}

impl Range {
    pub(super) fn len(&self) -> usize {
        let (from, to, step) = if self.step > 0 {
            (self.start, self.stop, self.step)
        } else {
            (self.stop, self.start, -self.step)
        };
        if from >= to { 0 } else { usize::try_from((to - from - 1) / step + 1).unwrap_or(usize::MAX) }
    }

    pub(super) fn item(&self, index: usize) -> Value {
        Value::Int(self.start + self.step * index as i128)
    }
}

impl Namespace {
    pub(super) fn set(&self, name: &Arc<str>, value: Value) {
        let mut attributes = self.attributes.borrow_mut();
        match attributes.iter_mut().find(|(known, _)| known == name) {
            // The old value is dropped when nothing is borrowed any more: it may lead back to here.
            Some((_, known)) => {
                let old = std::mem::replace(known, value);
                drop(attributes);
                drop(old);
            }
            None => attributes.push((name.clone(), value)),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        self.attributes.borrow().iter().find(|(known, _)| **known == *name).map(|(_, value)| value.clone())
    }
}

impl Scope {
    pub(super) fn inside(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { variables: RefCell::default(), parent: Some(parent.clone()) })
    }

    /// Copies the variables that have been assigned to.
    pub(super) fn without_unset(&self) -> Rc<Self> {
        let is_set = |value: &Value| !matches!(value, Value::Undefined(Missing::Unset(_)));
        let variables = self.variables.borrow().iter().filter(|(_, value)| is_set(value)).cloned().collect();
        Rc::new(Self { variables: RefCell::new(variables), parent: None })
    }

    pub(super) fn set(&self, name: &Arc<str>, value: Value) {
        let mut variables = self.variables.borrow_mut();
        match variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => variables.push((name.clone(), value)),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let mut scope = self;
        loop {
            if let Some((_, value)) = scope.variables.borrow().iter().find(|(known, _)| **known == *name) {
                return Some(value.clone());
            }
            scope = scope.parent.as_deref()?;
        }
    }
}

/// Returns the depth of a container with these items, which is bounded: reading a value goes as deep as it is.
pub(super) fn depth_above<'a>(items: impl IntoIterator<Item = &'a Value>) -> Outcome<u32> {
    let depth = 1 + items.into_iter().map(Value::depth).max().unwrap_or(0);
    if depth > DEPTH_MAX {
        return Err(Fault::exhausted("its values are nested too deep"));
    }
    Ok(depth)
}

/// How deep containers may lie in each other.
const DEPTH_MAX: u32 = 256;

/// Variables by name.
pub(in crate::template) type Variables = HashMap<String, Value>;
