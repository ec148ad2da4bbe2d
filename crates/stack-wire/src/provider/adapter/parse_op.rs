//! Operations, read strictly.

use serde_json::{Number, Value};

use super::fault::{Rule, SpecFault};
use super::fields::Fields;
use super::glob::Glob;
use super::op::{Act, Guard, Op};
use super::pointer::Pointer;
use super::protected::{PathTemplate, check_header, check_reply_pointer, check_request_pointer};
use super::request_map::{HeadAct, RequestMap};
use super::values::Form;
use crate::provider::Family;

/// Reads operations, and counts those of the whole spec.
#[derive(Debug, Default)]
pub(super) struct OpReader {
    count: usize,
}

/// Which texts operations are applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Reply,
}

impl OpReader {
    /// Reads the operations on requests.
    pub(super) fn request(&mut self, at: &str, ops: Vec<Value>) -> Result<RequestMap, SpecFault> {
        let mut map = RequestMap::default();
        for (place, op) in ops.into_iter().enumerate() {
            let mut fields = self.open(at, place, op)?;
            let guard = guard(&mut fields)?;
            let name = fields.require_text("op")?;
            match name.as_str() {
                "header_set" => {
                    let (header, value) = (fields.require_text("name")?, fields.require_text("value")?);
                    check_header(&header, &value).map_err(|rule| fields.fault("name", rule))?;
                    map.head.push((guard, HeadAct::SetHeader(header, value)));
                }
                "header_drop" => {
                    let header = fields.require_text("name")?;
                    check_header(&header, "").map_err(|rule| fields.fault("name", rule))?;
                    map.head.push((guard, HeadAct::DropHeader(header)));
                }
                "path_set" => {
                    let path = fields.require_text("path")?;
                    let path = PathTemplate::parse(&path).map_err(|rule| fields.fault("path", rule))?;
                    map.head.push((guard, HeadAct::SetPath(path)));
                }
                "family_set" => {
                    if guard.present.is_some() || guard.absent.is_some() || guard.equals.is_some() {
                        return Err(fields.fault("when", Rule::GuardNotHere));
                    }
                    let name = fields.require_text("family")?;
                    map.families.push((guard, family(&name).map_err(|rule| fields.fault("family", rule))?));
                }
                _ => {
                    let act = act(&name, &mut fields, Side::Request)?;
                    map.body.ops.push(Op { guard, act });
                }
            }
            fields.end()?;
        }
        Ok(map)
    }

    /// Reads the operations on replies or on the records of streams.
    pub(super) fn reply(&mut self, at: &str, ops: Vec<Value>) -> Result<Vec<Op>, SpecFault> {
        let mut read = Vec::with_capacity(ops.len());
        for (place, op) in ops.into_iter().enumerate() {
            let mut fields = self.open(at, place, op)?;
            let guard = guard(&mut fields)?;
            let name = fields.require_text("op")?;
            if let Some(name) = HEAD_OPS.iter().find(|op| **op == name) {
                return Err(fields.fault("op", Rule::OpNotHere(name)));
            }
            let act = act(&name, &mut fields, Side::Reply)?;
            fields.end()?;
            read.push(Op { guard, act });
        }
        Ok(read)
    }

    fn open(&mut self, at: &str, place: usize, op: Value) -> Result<Fields, SpecFault> {
        self.count += 1;
        if self.count > OPS_MAX {
            return Err(SpecFault::new(at, Rule::TooManyOps));
        }
        Fields::open(format!("{at}/{place}"), op)
    }
}

fn act(name: &str, fields: &mut Fields, side: Side) -> Result<Act, SpecFault> {
    match name {
        "rename" | "move" | "copy" => {
            let (from, to) = (pointer(fields, "from", side)?, pointer(fields, "to", side)?);
            paired(fields, "to", &from, &to)?;
            if from == to {
                return Err(fields.fault("to", Rule::NoChange));
            }
            if name == "copy" {
                return Ok(Act::Copy { from, to });
            }
            removable(fields, "from", &from)?;
            if name == "rename" && !from.is_sibling_of(&to) {
                return Err(fields.fault("to", Rule::RenameElsewhere));
            }
            Ok(Act::Move { from, to })
        }
        "drop" => {
            let at = pointer(fields, "at", side)?;
            removable(fields, "at", &at)?;
            Ok(Act::Drop { at })
        }
        "default" => Ok(Act::Default { at: pointer(fields, "at", side)?, value: fields.require("value")? }),
        "const" => Ok(Act::Const { at: pointer(fields, "at", side)?, value: fields.require("value")? }),
        "map_enum" => {
            let at = pointer(fields, "at", side)?;
            let map = words(fields.object("map")?)?;
            if map.is_empty() {
                return Err(fields.fault("map", Rule::NoChange));
            }
            Ok(Act::MapEnum { at, map })
        }
        "wrap" => Ok(Act::Wrap { at: pointer(fields, "at", side)?, key: fields.text("key")? }),
        "unwrap" => Ok(Act::Unwrap { at: pointer(fields, "at", side)?, key: fields.text("key")? }),
        "coalesce" => coalesce(fields, side),
        "clamp" => {
            let at = pointer(fields, "at", side)?;
            let (min, max) = (bound(fields, "min")?, bound(fields, "max")?);
            let is_ordered = match (&min, &max) {
                (None, None) => false,
                (Some(min), Some(max)) => min.as_f64() <= max.as_f64(),
                _ => true,
            };
            if is_ordered {
                Ok(Act::Clamp { at, min, max })
            } else {
                Err(fields.fault("min", Rule::BadBounds))
            }
        }
        "coerce" => {
            let at = pointer(fields, "at", side)?;
            let form = fields.require_text("to")?;
            let form = Form::from_name(&form).ok_or_else(|| {
                fields.fault("to", Rule::WrongType("number, text, bool, json_text or json"))
            })?;
            Ok(Act::Coerce { at, form })
        }
        other => Err(fields.fault("op", Rule::UnknownOp(other.chars().take(32).collect()))),
    }
}

fn coalesce(fields: &mut Fields, side: Side) -> Result<Act, SpecFault> {
    let to = pointer(fields, "to", side)?;
    let mut from = Vec::new();
    for (place, value) in fields.list("from")?.into_iter().enumerate() {
        let key = format!("from/{place}");
        let at = format!("{}/{place}", fields.at("from"));
        let Value::String(text) = value else { return Err(SpecFault::new(at, Rule::WrongType("a text"))) };
        let pointer = parsed(&text, side).map_err(|rule| SpecFault::new(&at, rule))?;
        if pointer.stars() != to.stars() {
            return Err(SpecFault::new(at, Rule::StarsDiffer));
        }
        removable(fields, &key, &pointer)?;
        from.push(pointer);
    }
    match from.len() {
        0 => Err(fields.fault("from", Rule::NoChange)),
        1 if from[0] == to => Err(fields.fault("from", Rule::NoChange)),
        1..=FROM_MAX => Ok(Act::Coalesce { from, to }),
        _ => Err(fields.fault("from", Rule::TooMany("addresses"))),
    }
}

fn guard(fields: &mut Fields) -> Result<Guard, SpecFault> {
    let Some(when) = fields.take("when") else { return Ok(Guard::default()) };
    let mut when = Fields::open(fields.at("when"), when)?;
    let model = when.text("model")?;
    let model = model.map(|glob| Glob::parse(&glob).map_err(|rule| when.fault("model", rule))).transpose()?;
    let stream = match when.take("stream") {
        None => None,
        Some(Value::Bool(stream)) => Some(stream),
        Some(_) => return Err(when.fault("stream", Rule::WrongType("true or false"))),
    };
    let place = |when: &mut Fields, key| {
        let text = when.text(key)?;
        text.map(|text| single(&text).map_err(|rule| when.fault(key, rule))).transpose()
    };
    let (present, absent) = (place(&mut when, "present")?, place(&mut when, "absent")?);
    let equals = match when.take("equals") {
        None => None,
        Some(equals) => {
            let mut equals = Fields::open(when.at("equals"), equals)?;
            let at = equals.require_text("at")?;
            let at = single(&at).map_err(|rule| equals.fault("at", rule))?;
            let value = equals.require("value")?;
            equals.end()?;
            Some((at, value))
        }
    };
    when.end()?;
    let guard = Guard { model, stream, present, absent, equals };
    if guard == Guard::default() {
        return Err(fields.fault("when", Rule::EmptyGuard));
    }
    Ok(guard)
}

fn pointer(fields: &mut Fields, key: &'static str, side: Side) -> Result<Pointer, SpecFault> {
    let text = fields.require_text(key)?;
    parsed(&text, side).map_err(|rule| fields.fault(key, rule))
}

fn parsed(text: &str, side: Side) -> Result<Pointer, Rule> {
    let pointer = Pointer::parse(text)?;
    match side {
        Side::Request => check_request_pointer(&pointer).map(|()| pointer),
        Side::Reply => check_reply_pointer(&pointer).map(|()| pointer),
    }
}

/// Reads the address of one place.
pub(super) fn single(text: &str) -> Result<Pointer, Rule> {
    let pointer = Pointer::parse(text)?;
    if pointer.stars() > 0 { Err(Rule::StarNotHere) } else { Ok(pointer) }
}

fn paired(fields: &Fields, key: &str, from: &Pointer, to: &Pointer) -> Result<(), SpecFault> {
    if from.stars() == to.stars() { Ok(()) } else { Err(fields.fault(key, Rule::StarsDiffer)) }
}

fn removable(fields: &Fields, key: &str, pointer: &Pointer) -> Result<(), SpecFault> {
    if pointer.ends_with_field() { Ok(()) } else { Err(fields.fault(key, Rule::RemovesItem)) }
}

fn bound(fields: &mut Fields, key: &'static str) -> Result<Option<Number>, SpecFault> {
    match fields.take(key) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number)),
        Some(_) => Err(fields.fault(key, Rule::WrongType("a number"))),
    }
}

/// Reads a map from words to words.
pub(super) fn words(fields: Fields) -> Result<Vec<(String, String)>, SpecFault> {
    let mut words = Vec::new();
    for (from, at, to) in fields.all() {
        let Value::String(to) = to else { return Err(SpecFault::new(at, Rule::WrongType("a text"))) };
        if words.len() == WORDS_MAX {
            return Err(SpecFault::new(at, Rule::TooMany("words")));
        }
        words.push((from, to));
    }
    Ok(words)
}

/// Finds a family.
pub(super) fn family(name: &str) -> Result<Family, Rule> {
    let found = Family::ALL.into_iter().find(|family| family.as_str() == name);
    found.ok_or_else(|| Rule::UnknownFamily(name.chars().take(32).collect()))
}

const HEAD_OPS: [&str; 4] = ["header_set", "header_drop", "path_set", "family_set"];
const OPS_MAX: usize = 128;
const FROM_MAX: usize = 8;
const WORDS_MAX: usize = 64;
