//! What single values become.

use serde_json::{Map, Number, Value};

use super::op::MismatchKind;
use crate::limits;

/// A form that a value may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Text,
    Bool,
    /// A text that holds JSON.
    JsonText,
    /// The object or the list that a text holds as JSON.
    Json,
}

impl Form {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [
            ("number", Self::Number),
            ("text", Self::Text),
            ("bool", Self::Bool),
            ("json_text", Self::JsonText),
            ("json", Self::Json),
        ]
        .into_iter()
        .find_map(|(known, form)| (known == name).then_some(form))
    }
}

pub(super) fn map_enum(value: &mut Value, map: &[(String, String)]) -> Result<bool, MismatchKind> {
    let Some(word) = value.as_str() else { return Err(MismatchKind::WrongType) };
    if let Some((_, other)) = map.iter().find(|(from, _)| from == word) {
        *value = Value::String(other.clone());
        return Ok(true);
    }
    // What the map makes of others needs no map.
    if map.iter().any(|(_, to)| to == word) { Ok(false) } else { Err(MismatchKind::UnknownWord) }
}

pub(super) fn wrap(value: &mut Value, key: Option<&str>) -> bool {
    let inner = value.take();
    *value = match key {
        Some(key) => Value::Object(Map::from_iter([(key.to_owned(), inner)])),
        None => Value::Array(vec![inner]),
    };
    true
}

pub(super) fn unwrap(value: &mut Value, key: Option<&str>) -> Result<bool, MismatchKind> {
    let inner = match (key, &mut *value) {
        (Some(key), Value::Object(fields)) => fields.get_mut(key).map(Value::take),
        (None, Value::Array(values)) if values.len() == 1 => values.pop(),
        _ => None,
    };
    *value = inner.ok_or(MismatchKind::WrongType)?;
    Ok(true)
}

pub(super) fn clamp(
    value: &mut Value,
    min: Option<&Number>,
    max: Option<&Number>,
) -> Result<bool, MismatchKind> {
    let Some(number) = value.as_f64() else { return Err(MismatchKind::WrongType) };
    let below = min.filter(|min| min.as_f64().is_some_and(|min| number < min));
    let above = max.filter(|max| max.as_f64().is_some_and(|max| number > max));
    match below.or(above) {
        Some(bound) => {
            *value = Value::Number(bound.clone());
            Ok(true)
        }
        None => Ok(false),
    }
}

pub(super) fn coerce(value: &mut Value, form: Form) -> Result<bool, MismatchKind> {
    let coerced = match (form, &*value) {
        (Form::Number, Value::Number(_))
        | (Form::Text | Form::JsonText, Value::String(_))
        | (Form::Bool, Value::Bool(_))
        | (Form::Json, Value::Object(_) | Value::Array(_)) => return Ok(false),
        (Form::Number, Value::String(text)) => text.trim().parse::<Number>().ok().map(Value::Number),
        (Form::Text, Value::Number(_) | Value::Bool(_))
        | (Form::JsonText, Value::Object(_) | Value::Array(_)) => Some(Value::String(value.to_string())),
        (Form::Bool, Value::String(text)) => text.parse().ok().map(Value::Bool),
        (Form::Bool, Value::Number(number)) => match number.as_u64() {
            Some(0) => Some(Value::Bool(false)),
            Some(1) => Some(Value::Bool(true)),
            _ => None,
        },
        (Form::Json, Value::String(text)) => parsed(text),
        _ => None,
    };
    *value = coerced.ok_or(MismatchKind::WrongType)?;
    Ok(true)
}

fn parsed(text: &str) -> Option<Value> {
    limits::check(text.as_bytes()).ok()?;
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_change_their_form_and_nothing_else() {
        use Form::{Bool, Json, JsonText, Number, Text};
        for (form, from, to) in [
            (Number, json!("7"), Some(json!(7))),
            (Number, json!("-1.5"), Some(json!(-1.5))),
            (Number, json!("seven"), None),
            (Number, json!(true), None),
            (Text, json!(7), Some(json!("7"))),
            (Text, json!(false), Some(json!("false"))),
            (Text, json!({}), None),
            (Bool, json!("true"), Some(json!(true))),
            (Bool, json!(0), Some(json!(false))),
            (Bool, json!(2), None),
            (JsonText, json!({"a": [1]}), Some(json!("{\"a\":[1]}"))),
            (JsonText, json!(1), None),
            (Json, json!("{\"a\":1}"), Some(json!({"a": 1}))),
            (Json, json!("1"), None),
            (Json, json!("{"), None),
        ] {
            let mut value = from.clone();
            let outcome = coerce(&mut value, form);
            match to {
                Some(to) => assert_eq!((value, outcome), (to, Ok(true)), "{form:?} {from}"),
                None => assert_eq!((value, outcome), (from, Err(MismatchKind::WrongType)), "{form:?}"),
            }
        }
        let deep = json!(format!("{}{}", "[".repeat(100), "]".repeat(100)));
        assert!(coerce(&mut deep.clone(), Json).is_err());
    }

    #[test]
    fn words_bounds_and_wrappings() {
        let map = [("developer".to_owned(), "system".to_owned())];
        let mut word = json!("developer");
        assert_eq!((map_enum(&mut word, &map), word.as_str()), (Ok(true), Some("system")));
        assert_eq!(map_enum(&mut word, &map), Ok(false));
        assert_eq!(map_enum(&mut json!("user"), &map), Err(MismatchKind::UnknownWord));
        let (min, max) = (json!(0).as_number().cloned(), json!(1).as_number().cloned());
        for (from, to) in [(json!(1.5), json!(1)), (json!(-3), json!(0)), (json!(0.5), json!(0.5))] {
            let mut value = from;
            clamp(&mut value, min.as_ref(), max.as_ref()).unwrap();
            assert_eq!(value, to);
        }
        let mut value = json!(1);
        wrap(&mut value, Some("a"));
        wrap(&mut value, None);
        assert_eq!(value, json!([{"a": 1}]));
        assert_eq!((unwrap(&mut value, None), unwrap(&mut value, Some("a"))), (Ok(true), Ok(true)));
        assert_eq!((value, unwrap(&mut json!([1, 2]), None)), (json!(1), Err(MismatchKind::WrongType)));
    }
}
