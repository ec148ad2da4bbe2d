//! YAML as a value, with bounds: what refers to something else is nothing, so that no file grows when it is read.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// A list or a map that is not complete.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// Reads the first document. Every scalar is a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let complete = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEPTH_MAX => {
                return Err(format!("is nested more than {DEPTH_MAX} deep"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::Alias(_) => Value::Null,
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Map(map, _)) => Value::Object(map),
                None => Value::Null,
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(complete),
            Some(Open::List(list)) => list.push(complete),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => {
                    map.insert(key, complete);
                }
                None => *key = Some(complete.as_str().unwrap_or_default().to_owned()),
            },
        }
    }
    Ok(Value::Null)
}

const DEPTH_MAX: usize = 64;
