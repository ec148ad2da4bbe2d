//! What arguments of tools look like: one definition, from which the model's JSON Schema is written and by which its
//! calls are checked.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value, json};

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text of at most so many bytes.
    Text(usize),
    /// A path below the workspace.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number between two, both included.
    Integer(i64, i64),
    /// A truth value.
    Boolean,
    /// One to so many values.
    List(&'static Shape, usize),
    /// An object with these fields, and no others.
    Object(&'static [Field]),
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is for, for the model.
    pub about: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

impl Shape {
    /// Writes the JSON Schema.
    pub fn to_json(self) -> Value {
        match self {
            Self::Text(_) | Self::Path => json!({"type": "string"}),
            Self::Word(words) => json!({"type": "string", "enum": words}),
            Self::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::List(item, max) => {
                json!({"type": "array", "items": item.to_json(), "minItems": 1, "maxItems": max})
            }
            Self::Object(fields) => {
                let mut properties = Map::new();
                for field in fields {
                    let mut property = field.shape.to_json();
                    property["description"] = field.about.into();
                    properties.insert(field.name.to_owned(), property);
                }
                let required: Vec<_> =
                    fields.iter().filter(|field| field.required).map(|field| field.name).collect();
                json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    }

    /// Checks a value at every depth.
    ///
    /// # Errors
    ///
    /// Names the first place that is wrong.
    pub fn check(self, value: &Value) -> Result<(), BadArguments> {
        self.check_at(value, "")
    }

    fn check_at(self, value: &Value, at: &str) -> Result<(), BadArguments> {
        let wrong = |expected: String| Err(BadArguments { at: at.to_owned(), expected });
        match (self, value) {
            (Self::Text(max), Value::String(text)) if text.len() > max => {
                wrong(format!("a text of at most {max} bytes"))
            }
            (Self::Word(words), Value::String(text)) if !words.contains(&text.as_str()) => {
                wrong(format!("one of {}", words.join(", ")))
            }
            (Self::Text(_) | Self::Path | Self::Word(_), Value::String(_))
            | (Self::Boolean, Value::Bool(_)) => Ok(()),
            (Self::Integer(min, max), Value::Number(number)) => {
                match number.as_i64().filter(|number| (min..=max).contains(number)) {
                    Some(_) => Ok(()),
                    None => wrong(format!("a whole number from {min} to {max}")),
                }
            }
            (Self::List(item, max), Value::Array(items)) => {
                if items.is_empty() || items.len() > max {
                    return wrong(format!("1 to {max} values"));
                }
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(n, value)| item.check_at(value, &format!("{at}[{n}]")))
            }
            (Self::Object(fields), Value::Object(values)) => check_object(fields, values, at),
            _ => wrong(self.noun().to_owned()),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Text(_) | Self::Word(_) => "a text",
            Self::Path => "a path below the workspace",
            Self::Integer(..) => "a whole number",
            Self::Boolean => "true or false",
            Self::List(..) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

fn check_object(fields: &[Field], values: &Map<String, Value>, at: &str) -> Result<(), BadArguments> {
    let place = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for name in values.keys() {
        if !fields.iter().any(|field| field.name == name) {
            let known: Vec<_> = fields.iter().map(|field| field.name).collect();
            let expected = format!("no such field; there are {}", known.join(", "));
            return Err(BadArguments { at: place(name), expected });
        }
    }
    for field in fields {
        match values.get(field.name) {
            Some(value) => field.shape.check_at(value, &place(field.name))?,
            None if field.required => {
                let expected = format!("{}, which is required", field.shape.noun());
                return Err(BadArguments { at: place(field.name), expected });
            }
            None => {}
        }
    }
    Ok(())
}

/// The error for arguments that do not have the shape that their tool demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadArguments {
    /// The place in the arguments; empty for the whole.
    pub at: String,
    /// What was expected there.
    pub expected: String,
}

impl fmt::Display for BadArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the arguments" } else { &self.at };
        write!(f, "{at}: expected {}", self.expected)
    }
}

impl Error for BadArguments {}

#[cfg(test)]
mod tests {
    use super::*;

    const EDIT: Shape = Shape::Object(&[
        Field { name: "path", about: "the file", shape: Shape::Path, required: true },
        Field {
            name: "edits",
            about: "what changes",
            shape: Shape::List(
                &Shape::Object(&[
                    Field { name: "old", about: "", shape: Shape::Text(8), required: true },
                    Field { name: "count", about: "", shape: Shape::Integer(1, 9), required: false },
                ]),
                2,
            ),
            required: false,
        },
        Field { name: "mode", about: "", shape: Shape::Word(&["a", "b"]), required: false },
        Field { name: "deep", about: "", shape: Shape::Boolean, required: false },
    ]);

    #[test]
    fn what_does_not_fit_is_named_at_every_depth() {
        for (value, at) in [
            (json!([]), ""),
            (json!(null), ""),
            (json!({}), "path"),
            (json!({"path": 1}), "path"),
            (json!({"path": null}), "path"),
            (json!({"path": "a", "extra": 1}), "extra"),
            (json!({"path": "a", "mode": "c"}), "mode"),
            (json!({"path": "a", "deep": "true"}), "deep"),
            (json!({"path": "a", "edits": []}), "edits"),
            (json!({"path": "a", "edits": [{"old": "x"}, {"old": "y"}, {"old": "z"}]}), "edits"),
            (json!({"path": "a", "edits": [{"old": "x"}, {"old": 3}]}), "edits[1].old"),
            (json!({"path": "a", "edits": [{"old": "123456789"}]}), "edits[0].old"),
            (json!({"path": "a", "edits": [{"old": "x", "count": 0}]}), "edits[0].count"),
            (json!({"path": "a", "edits": [{"old": "x", "count": 1.5}]}), "edits[0].count"),
        ] {
            assert_eq!(EDIT.check(&value).unwrap_err().at, at, "{value}");
        }
        EDIT.check(&json!({"path": "a", "edits": [{"old": "x", "count": 9}], "mode": "b", "deep": true}))
            .unwrap();
    }

    #[test]
    fn the_schema_is_what_is_checked() {
        let schema = EDIT.to_json();
        assert_eq!(schema["required"], json!(["path"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["edits"]["items"]["properties"]["count"]["maximum"], json!(9));
        assert_eq!(schema["properties"]["path"], json!({"type": "string", "description": "the file"}));
    }
}
