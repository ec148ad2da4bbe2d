//! What form the answer must have: `response_format`, and what llama-server knows beside it.

use serde_json::Value;
use stack_chat::{Failure, Grammar, GrammarSyntax, Output, Schema};

use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::schema::schema;

/// Takes `response_format`, `json_schema` and `grammar`, of which at most one may ask for something.
pub(crate) fn output(fields: &mut Fields, ignored: &mut Ignored) -> Result<Output, Failure> {
    let format = match fields.object("response_format")? {
        None => Output::Text,
        Some(format) => response_format(format, ignored)?,
    };
    let direct = fields.take("json_schema").map(|value| schema("json_schema", &value)).transpose()?;
    let grammar = fields.text("grammar", GRAMMAR_BYTES_MAX)?.filter(|text| !text.is_empty());
    match (format, direct, grammar) {
        (format, None, None) => Ok(format),
        (Output::Text, Some(schema), None) => Ok(Output::Schema(Schema { name: None, schema, strict: true })),
        (Output::Text, None, Some(text)) => {
            Ok(Output::Grammar(Grammar { syntax: GrammarSyntax::Gbnf, text }))
        }
        (_, _, Some(_)) => Err(twice("grammar")),
        (_, Some(_), None) => Err(twice("json_schema")),
    }
}

fn response_format(mut format: Fields, ignored: &mut Ignored) -> Result<Output, Failure> {
    let path = format.path("type");
    let output = match format.require("type")? {
        Value::String(kind) if kind == "text" => Output::Text,
        Value::String(kind) if kind == "json_object" => {
            // llama-server takes a schema here, too.
            let path = format.path("schema");
            match format.take("schema") {
                None => Output::Json,
                Some(value) => {
                    Output::Schema(Schema { name: None, schema: schema(&path, &value)?, strict: true })
                }
            }
        }
        Value::String(kind) if kind == "json_schema" => {
            let path = format.path("json_schema");
            let mut wanted = Fields::open(path, format.require("json_schema")?)?;
            let path = wanted.path("schema");
            let output = Output::Schema(Schema {
                name: wanted.text("name", NAME_BYTES_MAX)?,
                schema: schema(&path, &wanted.require("schema")?)?,
                strict: wanted.flag("strict")?.unwrap_or(false),
            });
            wanted.ignore_rest("response_format.json_schema", ignored);
            output
        }
        other => return Err(mismatch(path, "\"text\", \"json_object\" or \"json_schema\"", &other)),
    };
    format.ignore_rest("response_format", ignored);
    Ok(output)
}

fn twice(field: &str) -> Failure {
    Failure::invalid(field, format!("`{field}` contradicts another field that says what form the answer has"))
}

const NAME_BYTES_MAX: usize = 256;
const GRAMMAR_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use stack_chat::Json;

    use super::*;

    fn parse(json: &str) -> Result<Output, Failure> {
        output(&mut Fields::parse(json.as_bytes())?, &mut Ignored::default())
    }

    #[test]
    fn every_form_has_its_word() {
        let with = |name: Option<&str>, strict| {
            Output::Schema(Schema {
                name: name.map(str::to_owned),
                schema: Json(r#"{"type":"object"}"#.into()),
                strict,
            })
        };
        let gbnf = Grammar { syntax: GrammarSyntax::Gbnf, text: "root ::= \"a\"".into() };
        for (json, want) in [
            ("{}", Output::Text),
            (r#"{"response_format": {"type": "text"}, "grammar": ""}"#, Output::Text),
            (r#"{"response_format": {"type": "json_object"}}"#, Output::Json),
            (
                r#"{"response_format": {"type": "json_object", "schema": {"type": "object"}}}"#,
                with(None, true),
            ),
            (
                r#"{"response_format": {"type": "json_schema", "json_schema":
                    {"name": "n", "strict": true, "schema": {"type": "object"}}}}"#,
                with(Some("n"), true),
            ),
            (r#"{"json_schema": {"type": "object"}}"#, with(None, true)),
            (r#"{"grammar": "root ::= \"a\""}"#, Output::Grammar(gbnf)),
        ] {
            assert_eq!(parse(json).unwrap(), want, "{json}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, want) in [
            (r#"{"response_format": "text"}"#, "response_format"),
            (r#"{"response_format": {}}"#, "response_format.type"),
            (r#"{"response_format": {"type": "xml"}}"#, "response_format.type"),
            (r#"{"response_format": {"type": "json_schema"}}"#, "response_format.json_schema"),
            (
                r#"{"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}"#,
                "response_format.json_schema.schema",
            ),
            (
                r#"{"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": []}}}}"#,
                "response_format.json_schema.schema.enum",
            ),
            (r#"{"json_schema": 1}"#, "json_schema"),
            (r#"{"grammar": {}}"#, "grammar"),
            (r#"{"grammar": "a", "json_schema": {}}"#, "grammar"),
            (r#"{"json_schema": {}, "response_format": {"type": "json_object"}}"#, "json_schema"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(want), "{json}");
        }
    }
}
