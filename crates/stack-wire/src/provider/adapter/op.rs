//! The operations of the language, compiled: a closed set, each of which looks at its places once and ends.

use serde_json::{Number, Value};

use super::glob::Glob;
use super::pointer::{Allowance, Places, Pointer, STARS_MAX, TooManyMatches};
use super::values::{self, Form};

/// An operation on a JSON text, and when it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) guard: Guard,
    pub(super) act: Act,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Takes a value elsewhere, unless something stands there already.
    Move { from: Pointer, to: Pointer },
    /// Puts a value elsewhere, too, unless something stands there already.
    Copy { from: Pointer, to: Pointer },
    /// Takes a field away.
    Drop { at: Pointer },
    /// Puts a value where nothing is, or null.
    Default { at: Pointer, value: Value },
    /// Puts a value, whatever is there.
    Const { at: Pointer, value: Value },
    /// Puts another word for a word.
    MapEnum { at: Pointer, map: Vec<(String, String)> },
    /// Puts a value into an object of one field, or into a list of its own.
    Wrap { at: Pointer, key: Option<String> },
    /// Takes a value out of an object's field, or out of a list of one.
    Unwrap { at: Pointer, key: Option<String> },
    /// Takes the first value that is there, and takes the others away.
    Coalesce { from: Vec<Pointer>, to: Pointer },
    /// Brings a number within bounds.
    Clamp { at: Pointer, min: Option<Number>, max: Option<Number> },
    /// Writes the same value in another form.
    Coerce { at: Pointer, form: Form },
}

/// When an operation applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) model: Option<Glob>,
    pub(super) stream: Option<bool>,
    pub(super) present: Option<Pointer>,
    pub(super) absent: Option<Pointer>,
    pub(super) equals: Option<(Pointer, Value)>,
}

/// What is asked, as far as guards look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) model: &'a str,
    pub(super) stream: bool,
}

/// How a value was other than an operation expected it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MismatchKind {
    /// Nothing was there in the whole reply.
    Absent,
    /// It was of another kind.
    WrongType,
    /// It was a word that the map does not have.
    UnknownWord,
    /// Something stood already where it should go.
    Occupied,
    /// There is no place where it should go.
    NoPlace,
}

/// What an operation found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether it changed something.
    pub(super) changed: bool,
    /// What it could not change.
    pub(super) odd: Option<MismatchKind>,
}

impl Guard {
    /// Tells whether it holds as far as no body is needed.
    pub(super) fn admits(&self, scope: Scope<'_>) -> bool {
        self.model.as_ref().is_none_or(|glob| glob.matches(scope.model))
            && self.stream.is_none_or(|stream| stream == scope.stream)
    }

    pub(super) fn holds(&self, root: &Value, scope: Scope<'_>) -> bool {
        let there = |pointer: &Pointer| pointer.get(root, &[0; STARS_MAX]).filter(|value| !value.is_null());
        self.admits(scope)
            && self.present.as_ref().is_none_or(|pointer| there(pointer).is_some())
            && self.absent.as_ref().is_none_or(|pointer| there(pointer).is_none())
            && self.equals.as_ref().is_none_or(|(pointer, value)| there(pointer) == Some(value))
    }
}

impl Op {
    /// Applies it.
    pub(super) fn apply(
        &self,
        root: &mut Value,
        scope: Scope<'_>,
        left: &mut Allowance,
    ) -> Result<Found, TooManyMatches> {
        if self.guard.holds(root, scope) { self.act.apply(root, left) } else { Ok(Found::default()) }
    }

    /// Where it looks first.
    pub(super) fn source(&self) -> &Pointer {
        match &self.act {
            Act::Move { from, .. } | Act::Copy { from, .. } => from,
            Act::Coalesce { from, to } => from.first().unwrap_or(to),
            Act::Drop { at }
            | Act::Default { at, .. }
            | Act::Const { at, .. }
            | Act::MapEnum { at, .. }
            | Act::Wrap { at, .. }
            | Act::Unwrap { at, .. }
            | Act::Clamp { at, .. }
            | Act::Coerce { at, .. } => at,
        }
    }
}

impl Act {
    fn apply(&self, root: &mut Value, left: &mut Allowance) -> Result<Found, TooManyMatches> {
        let mut found = Found::default();
        match self {
            Self::Move { from, to } => {
                for places in from.places(root, left)? {
                    let outcome = if is_there(to.get(root, &places)) {
                        Err(MismatchKind::Occupied)
                    } else {
                        let value = from.take(root, &places).unwrap_or(Value::Null);
                        match to.put(root, &places, value) {
                            Ok(()) => Ok(true),
                            // It goes back, so that nothing is lost.
                            Err(value) => {
                                drop(from.put(root, &places, value));
                                Err(MismatchKind::NoPlace)
                            }
                        }
                    };
                    found.add(outcome);
                }
            }
            Self::Copy { from, to } => {
                for places in from.places(root, left)? {
                    let outcome = match from.get(root, &places).cloned() {
                        Some(_) if is_there(to.get(root, &places)) => Err(MismatchKind::Occupied),
                        Some(value) => put(to, root, &places, value),
                        None => Ok(false),
                    };
                    found.add(outcome);
                }
            }
            Self::Drop { at } => {
                for places in at.places(root, left)? {
                    found.add(Ok(at.take(root, &places).is_some()));
                }
            }
            Self::Default { at, value } => {
                for places in places_to_set(at, root, left)? {
                    let is_set = is_there(at.get(root, &places));
                    found.add(if is_set { Ok(false) } else { put(at, root, &places, value.clone()) });
                }
            }
            Self::Const { at, value } => {
                for places in places_to_set(at, root, left)? {
                    found.add(put(at, root, &places, value.clone()));
                }
            }
            Self::Coalesce { from, to } => {
                // The places are those of the first address that has any: the others pair up with them.
                for pointer in from {
                    for places in pointer.places(root, left)? {
                        found.add(coalesce(from, to, root, &places));
                    }
                }
            }
            Self::MapEnum { at, map } => {
                found.each(at, root, left, |value| values::map_enum(value, map))?;
            }
            Self::Wrap { at, key } => {
                found.each(at, root, left, |value| Ok(values::wrap(value, key.as_deref())))?;
            }
            Self::Unwrap { at, key } => {
                found.each(at, root, left, |value| values::unwrap(value, key.as_deref()))?;
            }
            Self::Clamp { at, min, max } => {
                found.each(at, root, left, |value| values::clamp(value, min.as_ref(), max.as_ref()))?;
            }
            Self::Coerce { at, form } => {
                found.each(at, root, left, |value| values::coerce(value, *form))?;
            }
        }
        Ok(found)
    }
}

impl Found {
    fn add(&mut self, outcome: Result<bool, MismatchKind>) {
        match outcome {
            Ok(changed) => self.changed |= changed,
            Err(kind) => self.odd = self.odd.or(Some(kind)),
        }
    }

    fn each(
        &mut self,
        at: &Pointer,
        root: &mut Value,
        left: &mut Allowance,
        change: impl Fn(&mut Value) -> Result<bool, MismatchKind>,
    ) -> Result<(), TooManyMatches> {
        for places in at.places(root, left)? {
            if let Some(value) = at.get_mut(root, &places).filter(|value| !value.is_null()) {
                self.add(change(value));
            }
        }
        Ok(())
    }
}

/// Takes the values of all addresses at the same places, and keeps the first.
fn coalesce(from: &[Pointer], to: &Pointer, root: &mut Value, places: &Places) -> Result<bool, MismatchKind> {
    if !from.contains(to) && is_there(to.get(root, places)) {
        return Err(MismatchKind::Occupied);
    }
    let mut kept = None;
    for pointer in from {
        if is_there(pointer.get(root, places)) && kept.is_none() {
            kept = Some((pointer, pointer.take(root, places)));
        } else {
            pointer.take(root, places);
        }
    }
    let Some((pointer, Some(value))) = kept else { return Ok(false) };
    let moved = pointer != to;
    to.put(root, places, value).map(|()| moved).map_err(|value| {
        drop(pointer.put(root, places, value));
        MismatchKind::NoPlace
    })
}

/// The places at which a value may be put: those of the object around it, which may lack the field.
fn places_to_set(at: &Pointer, root: &Value, left: &mut Allowance) -> Result<Vec<Places>, TooManyMatches> {
    match at.before_last_fields() {
        Some(parent) => parent.places(root, left),
        None => Ok(vec![[0; STARS_MAX]]),
    }
}

fn put(to: &Pointer, root: &mut Value, places: &Places, value: Value) -> Result<bool, MismatchKind> {
    to.put(root, places, value).map(|()| true).map_err(|_value| MismatchKind::NoPlace)
}

fn is_there(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}
