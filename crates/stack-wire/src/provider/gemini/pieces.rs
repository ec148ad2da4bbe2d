//! Arguments that come in pieces: values and where in the object they belong, in any order.
//!
//! Only a finished object is JSON text, so nothing of it is handed on before.

use serde_json::{Map, Value};
use stack_chat::{Failure, FailureKind};

use crate::provider::object::Object;

/// A call whose arguments are still coming.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) part: u32,
    arguments: Value,
}

impl Pieces {
    pub(super) fn new(part: u32) -> Self {
        Self { part, arguments: Value::Object(Map::new()) }
    }

    /// Takes in one piece. A text continues the one that is there already.
    pub(super) fn add(&mut self, piece: Object<'_>) -> Result<(), Failure> {
        let path = piece.require_text("jsonPath")?;
        let place = place(&mut self.arguments, path).ok_or_else(|| unreadable(path))?;
        match (piece.text("stringValue")?, place) {
            (Some(more), Value::String(text)) => text.push_str(more),
            (Some(text), place) => *place = text.into(),
            (None, place) => {
                let value = ["numberValue", "boolValue"].into_iter().find_map(|name| piece.value(name));
                *place = value.cloned().unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Returns the object as JSON text.
    pub(super) fn arguments(&self) -> String {
        self.arguments.to_string()
    }
}

/// Finds the place that a path such as `$.a.b[0]` leads to, and makes it if it is not there. A list grows by one value
/// at a time, so that no number makes it large.
fn place<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let (mut rest, mut place, mut depth) = (path.strip_prefix('$')?, root, 0);
    while !rest.is_empty() {
        depth += 1;
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(field) = rest.strip_prefix('.') {
            let end = field.find(['.', '[']).unwrap_or(field.len());
            place = object(place)?.entry(&field[..end]).or_insert(Value::Null);
            rest = &field[end..];
        } else if let Some(field) = rest.strip_prefix("['") {
            let (name, after) = field.split_once("']")?;
            place = object(place)?.entry(name).or_insert(Value::Null);
            rest = after;
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            let (index, list) = (index.parse::<usize>().ok()?, list(place)?);
            if index == list.len() {
                list.push(Value::Null);
            }
            place = list.get_mut(index)?;
            rest = after;
        }
    }
    Some(place)
}

fn object(place: &mut Value) -> Option<&mut Map<String, Value>> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut()
}

fn list(place: &mut Value) -> Option<&mut Vec<Value>> {
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut()
}

fn unreadable(path: &str) -> Failure {
    let shown: String = path.chars().take(64).collect();
    let message =
        format!("the provider sent a piece of a call for {shown:?}, which is no place in its arguments");
    Failure::new(FailureKind::SchemaDrift, message)
}

/// As deep as any JSON that is taken from outside.
const DEPTH_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn add(pieces: &mut Pieces, piece: &Value) -> Result<(), Failure> {
        pieces.add(Object::open("partialArgs[]", piece).unwrap())
    }

    #[test]
    fn pieces_find_their_places() {
        let mut pieces = Pieces::new(0);
        for piece in [
            json!({"jsonPath": "$.city", "stringValue": "New ", "willContinue": true}),
            json!({"jsonPath": "$.days[0].count", "numberValue": 2}),
            json!({"jsonPath": "$.city", "stringValue": "York"}),
            json!({"jsonPath": "$.days[0].warm", "boolValue": true}),
            json!({"jsonPath": "$.days[1]", "nullValue": "NULL_VALUE"}),
            json!({"jsonPath": "$['a.b']", "stringValue": ""}),
        ] {
            add(&mut pieces, &piece).unwrap();
        }
        let want = r#"{"city":"New York","days":[{"count":2,"warm":true},null],"a.b":""}"#;
        assert_eq!(pieces.arguments(), want);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_a_failure() {
        let deep = format!("${}", ".a".repeat(65));
        for path in
            ["", "a", "$x", "$[0]", "$.a[1]", "$.a[99999999999999999999]", "$.a[-1]", "$['a", "$.t.x", &deep]
        {
            let mut pieces = Pieces::new(0);
            add(&mut pieces, &json!({"jsonPath": "$.t", "stringValue": "text"})).unwrap();
            let failure = add(&mut pieces, &json!({"jsonPath": path, "numberValue": 1})).unwrap_err();
            assert_eq!(failure.kind, FailureKind::SchemaDrift, "{path}");
        }
    }
}
