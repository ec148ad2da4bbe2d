//! JSON schemas that callers send: checked for what no answer could follow, and otherwise carried as they are.

use serde_json::Value;
use stack_chat::{Failure, Json};

use crate::fields::mismatch;

/// Takes the schema at `path`, which must be an object.
pub(crate) fn schema(path: &str, value: &Value) -> Result<Json, Failure> {
    if !value.is_object() {
        return Err(mismatch(path.to_owned(), "a JSON schema, which is an object", value));
    }
    check(path, value)?;
    Ok(Json(value.to_string()))
}

/// Looks for lists of allowed values without any. The depth is bounded, as that of the body is.
fn check(path: &str, value: &Value) -> Result<(), Failure> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            let path = format!("{path}.{name}");
            match (name.as_str(), value) {
                ("enum", Value::Array(values)) if values.is_empty() => {
                    let message = format!("`{path}` allows no value at all");
                    Err(Failure::invalid(path, message))
                }
                // What stands here is data, not schema.
                ("enum" | "const" | "default" | "examples", _) => Ok(()),
                _ => check(&path, value),
            }
        }),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check(&format!("{path}[{index}]"), item))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_no_values_is_found_however_deep() {
        let deep = json!({"properties": {"a": {"anyOf": [{"type": "null"}, {"enum": []}]}}});
        let failure = schema("tools[0].parameters", &deep).unwrap_err();
        assert_eq!(failure.field.as_deref(), Some("tools[0].parameters.properties.a.anyOf[1].enum"));
        assert!(schema("s", &json!([])).is_err());
        assert!(schema("s", &json!("object")).is_err());
    }

    #[test]
    fn a_schema_keeps_its_keys_in_order_and_data_in_it_is_not_looked_at() {
        let text = r#"{"z":1,"a":{"default":{"enum":[]}},"properties":{"enum":{"enum":[1]}}}"#;
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(schema("s", &value), Ok(Json(text.to_owned())));
    }
}
