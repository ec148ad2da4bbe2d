//! What completions continue and embeddings embed: one or many texts or lists of token ids.

use serde_json::Value;
use stack_chat::{EmbedInput, Failure};

use crate::fields::{Fields, bounded, mismatch};

/// Takes the required field `name`: a string, a list of token ids, or a list of at most `len_max` of either.
pub(crate) fn inputs(fields: &mut Fields, name: &str, len_max: usize) -> Result<Vec<EmbedInput>, Failure> {
    inputs_of(name, fields.require(name)?, len_max)
}

/// Reads the value of the field `name` as that.
pub(crate) fn inputs_of(name: &str, value: Value, len_max: usize) -> Result<Vec<EmbedInput>, Failure> {
    match value {
        Value::Array(values) if values.is_empty() => {
            Err(Failure::invalid(name, format!("`{name}` must not be empty")))
        }
        Value::Array(values) if !values[0].is_number() => {
            bounded(name, values.len(), len_max)?;
            let item = |(index, value)| input(format!("{name}[{index}]"), value);
            values.into_iter().enumerate().map(item).collect()
        }
        value => Ok(vec![input(name.to_owned(), value)?]),
    }
}

fn input(path: String, value: Value) -> Result<EmbedInput, Failure> {
    match value {
        Value::String(text) => Ok(EmbedInput::Text(text)),
        Value::Array(ids) if ids.is_empty() => {
            let message = format!("`{path}` must not be empty");
            Err(Failure::invalid(path, message))
        }
        Value::Array(ids) => {
            let id = |id: &Value| match id.as_u64().map(u32::try_from) {
                Some(Ok(id)) => Ok(id),
                _ => Err(mismatch(path.clone(), "a list of token ids", id)),
            };
            ids.iter().map(id).collect::<Result<_, _>>().map(EmbedInput::Tokens)
        }
        other => Err(mismatch(path, "a string or a list of token ids", &other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<EmbedInput>, Failure> {
        inputs(&mut Fields::parse(format!("{{\"input\": {json}}}").as_bytes())?, "input", 3)
    }

    #[test]
    fn all_shapes_are_understood() {
        let text = |text: &str| EmbedInput::Text(text.into());
        assert_eq!(parse("\"a\"").unwrap(), [text("a")]);
        assert_eq!(parse("[\"a\", \"b\"]").unwrap(), [text("a"), text("b")]);
        assert_eq!(parse("[1, 2]").unwrap(), [EmbedInput::Tokens(vec![1, 2])]);
        assert_eq!(parse("[[1, 2], \"a\"]").unwrap(), [EmbedInput::Tokens(vec![1, 2]), text("a")]);
    }

    #[test]
    fn other_shapes_are_named() {
        for (json, want) in [
            ("[]", "input"),
            ("7", "input"),
            ("{}", "input"),
            ("[1, \"a\"]", "input"),
            ("[-1]", "input"),
            ("[4294967296]", "input"),
            ("[1.5]", "input"),
            ("[[]]", "input[0]"),
            ("[\"a\", 1]", "input[1]"),
            ("[\"a\", [\"b\"]]", "input[1]"),
            ("[\"a\", \"b\", \"c\", \"d\"]", "input"),
        ] {
            assert_eq!(parse(json).expect_err(json).field.as_deref(), Some(want), "{json}");
        }
    }
}
