//! What form the answer must have: `response_format`, and what llama-server and vLLM know beside it.

use serde_json::Value;
use stack_chat::{Failure, Grammar, GrammarSyntax, Output, Schema};

use super::guided;
use crate::Ignored;
use crate::fields::{Fields, mismatch};
use crate::schema::schema;

/// Takes every field that says what form the answer has, of which at most one may ask for something.
pub(crate) fn output(fields: &mut Fields, ignored: &mut Ignored) -> Result<Output, Failure> {
    let mut forms = Forms::default();
    if let Some(format) = fields.object("response_format")? {
        forms.add("response_format", response_format(format, ignored)?)?;
    }
    if let Some(value) = fields.take("json_schema") {
        let schema = schema("json_schema", &value)?;
        forms.add("json_schema", Output::Schema(Schema { name: None, schema, strict: true }))?;
    }
    for (name, syntax) in
        [("grammar", GrammarSyntax::Gbnf), ("regex", GrammarSyntax::Regex), ("lark", GrammarSyntax::Lark)]
    {
        if let Some(text) = fields.text(name, GRAMMAR_BYTES_MAX)?.filter(|text| !text.is_empty()) {
            forms.add(name, Output::Grammar(Grammar { syntax, text }))?;
        }
    }
    guided::output(fields, &mut forms, ignored)?;
    let Some((name, output)) = forms.only else { return Ok(Output::Text) };
    if name != "response_format" {
        ignored.form_is(name);
    }
    Ok(output)
}

/// The forms that a request asks for.
#[derive(Default)]
pub(super) struct Forms {
    only: Option<(String, Output)>,
}

impl Forms {
    /// Adds what the field `name` asks for, which must be all that the request asks for.
    pub(super) fn add(&mut self, name: &str, output: Output) -> Result<(), Failure> {
        match &self.only {
            _ if output == Output::Text => Ok(()),
            None => {
                self.only = Some((name.to_owned(), output));
                Ok(())
            }
            Some((first, _)) => {
                let message =
                    format!("`{first}` and `{name}` both say what form the answer has; send one of them");
                Err(Failure::invalid(name, message))
            }
        }
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

const NAME_BYTES_MAX: usize = 256;
pub(super) const GRAMMAR_BYTES_MAX: usize = 1 << 20;

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
        let grammar = |syntax, text: &str| Output::Grammar(Grammar { syntax, text: text.into() });
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
            (r#"{"grammar": "root ::= \"a\""}"#, grammar(GrammarSyntax::Gbnf, "root ::= \"a\"")),
            (r#"{"regex": "a+"}"#, grammar(GrammarSyntax::Regex, "a+")),
            (r#"{"lark": "start: \"a\""}"#, grammar(GrammarSyntax::Lark, "start: \"a\"")),
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
            (r#"{"regex": []}"#, "regex"),
            (r#"{"lark": 1}"#, "lark"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(want), "{json}");
        }
    }

    #[test]
    fn two_forms_at_once_are_refused_by_both_names() {
        for (json, first, second) in [
            (r#"{"grammar": "a", "json_schema": {}}"#, "json_schema", "grammar"),
            (
                r#"{"json_schema": {}, "response_format": {"type": "json_object"}}"#,
                "response_format",
                "json_schema",
            ),
            (r#"{"regex": "a", "lark": "b"}"#, "regex", "lark"),
            (
                r#"{"guided_regex": "a", "response_format": {"type": "json_object"}}"#,
                "response_format",
                "guided_regex",
            ),
            (
                r#"{"guided_choice": ["a"], "structured_outputs": {"regex": "b"}}"#,
                "guided_choice",
                "structured_outputs.regex",
            ),
            (
                r#"{"structured_outputs": {"json": {}, "regex": "b"}}"#,
                "structured_outputs.json",
                "structured_outputs.regex",
            ),
        ] {
            let failure = parse(json).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some(second), "{json}");
            assert!(failure.message.contains(&format!("`{first}` and `{second}`")), "{}", failure.message);
        }
        assert!(parse(r#"{"response_format": {"type": "text"}, "regex": "a", "guided_json": null}"#).is_ok());
    }
}
