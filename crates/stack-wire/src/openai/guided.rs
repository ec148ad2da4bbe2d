//! What form the answer must have, in the words of vLLM: `structured_outputs`, and the `guided_*` fields that it replaced.

use serde_json::Value;
use stack_chat::{Failure, Grammar, GrammarSyntax, Output, Schema};

use super::output::{Forms, GRAMMAR_BYTES_MAX};
use crate::Ignored;
use crate::fields::{Fields, bounded, mismatch};
use crate::schema::schema;

/// The names under which one place of a request asks for forms.
struct Names {
    json: &'static str,
    regex: &'static str,
    choice: &'static str,
    grammar: &'static str,
    json_object: &'static str,
}

/// Takes all of vLLM's fields.
pub(super) fn output(fields: &mut Fields, forms: &mut Forms, ignored: &mut Ignored) -> Result<(), Failure> {
    take(fields, forms, &GUIDED, "guided_")?;
    let Some(mut outputs) = fields.object("structured_outputs")? else { return Ok(()) };
    take(&mut outputs, forms, &STRUCTURED, "")?;
    if outputs.take("structural_tag").is_some() {
        let message = "`structured_outputs.structural_tag` is not supported here; use `tools`, or a grammar";
        return Err(Failure::unsupported("structured_outputs.structural_tag", message));
    }
    outputs.ignore_rest("structured_outputs", ignored);
    Ok(())
}

/// Takes the fields whose names begin with `prefix`.
fn take(fields: &mut Fields, forms: &mut Forms, names: &Names, prefix: &str) -> Result<(), Failure> {
    let field = |word: &str| format!("{prefix}{word}");
    if let Some(value) = fields.take(&field("json")) {
        forms.add(names.json, json(names.json, value)?)?;
    }
    if let Some(text) = fields.text(&field("regex"), GRAMMAR_BYTES_MAX)? {
        forms.add(names.regex, grammar(GrammarSyntax::Regex, text))?;
    }
    if let Some(choices) = fields.list(&field("choice"), CHOICES_MAX)? {
        forms.add(names.choice, choice(names.choice, choices)?)?;
    }
    if let Some(text) = fields.text(&field("grammar"), GRAMMAR_BYTES_MAX)? {
        let syntax = if is_lark(&text) { GrammarSyntax::Lark } else { GrammarSyntax::Gbnf };
        forms.add(names.grammar, grammar(syntax, text))?;
    }
    if fields.flag(&field("json_object"))?.unwrap_or(false) {
        forms.add(names.json_object, Output::Json)?;
    }
    Ok(())
}

/// A schema, or the text of one, which vLLM's clients send as well.
fn json(path: &str, value: Value) -> Result<Output, Failure> {
    let value = match value {
        Value::String(text) => {
            bounded(path, text.len(), GRAMMAR_BYTES_MAX)?;
            crate::limits::check(text.as_bytes())?;
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        value => value,
    };
    Ok(Output::Schema(Schema { name: None, schema: schema(path, &value)?, strict: true }))
}

/// One of a few texts, exactly.
fn choice(path: &str, choices: Vec<Value>) -> Result<Output, Failure> {
    if choices.is_empty() {
        return Err(Failure::invalid(path, format!("`{path}` must name at least one text")));
    }
    let mut bytes = 0;
    let literal = |choice| match choice {
        Value::String(text) if !text.is_empty() => {
            bytes += text.len();
            Ok(escaped(&text))
        }
        other => Err(mismatch(path.to_owned(), "an array of texts that are not empty", &other)),
    };
    let choices = choices.into_iter().map(literal).collect::<Result<Vec<_>, _>>()?;
    if bytes > GRAMMAR_BYTES_MAX {
        return Err(Failure::invalid(path, format!("`{path}` is longer than {GRAMMAR_BYTES_MAX} bytes")));
    }
    Ok(grammar(GrammarSyntax::Regex, choices.join("|")))
}

/// Writes a text as the regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$#&-~/".contains(character) {
            written.push('\\');
        }
        written.push(character);
    }
    written
}

fn grammar(syntax: GrammarSyntax, text: String) -> Output {
    Output::Grammar(Grammar { syntax, text })
}

/// Tells which of the two languages a grammar is written in that vLLM takes in the same field, as it does itself: rules of
/// the other one are defined by `::=`.
fn is_lark(text: &str) -> bool {
    !text.lines().any(|line| {
        let comment = [line.find('#'), line.find("//")].into_iter().flatten().min();
        line[..comment.unwrap_or(line.len())].contains("::=")
    })
}

const GUIDED: Names = Names {
    json: "guided_json",
    regex: "guided_regex",
    choice: "guided_choice",
    grammar: "guided_grammar",
    json_object: "guided_json_object",
};
const STRUCTURED: Names = Names {
    json: "structured_outputs.json",
    regex: "structured_outputs.regex",
    choice: "structured_outputs.choice",
    grammar: "structured_outputs.grammar",
    json_object: "structured_outputs.json_object",
};
const CHOICES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use stack_chat::Json;

    use super::*;
    use crate::openai;

    fn parse(json: &str) -> Result<Output, Failure> {
        openai::output(&mut Fields::parse(json.as_bytes())?, &mut Ignored::default())
    }

    #[test]
    fn each_word_means_the_same_in_both_places() {
        let schema =
            Output::Schema(Schema { name: None, schema: Json(r#"{"type":"object"}"#.into()), strict: true });
        for (word, value, want) in [
            ("json", r#"{"type": "object"}"#, schema.clone()),
            ("json", r#""{\"type\": \"object\"}""#, schema),
            ("regex", r#""[0-9]+""#, grammar(GrammarSyntax::Regex, "[0-9]+".into())),
            ("choice", r#"["a.b", "c|d"]"#, grammar(GrammarSyntax::Regex, r"a\.b|c\|d".into())),
            ("grammar", r#""root ::= \"a\"""#, grammar(GrammarSyntax::Gbnf, "root ::= \"a\"".into())),
            (
                "grammar",
                r#""start: \"a\" // ::=""#,
                grammar(GrammarSyntax::Lark, "start: \"a\" // ::=".into()),
            ),
            ("json_object", "true", Output::Json),
            ("json_object", "false", Output::Text),
        ] {
            assert_eq!(parse(&format!(r#"{{"guided_{word}": {value}}}"#)).unwrap(), want, "{word}");
            assert_eq!(
                parse(&format!(r#"{{"structured_outputs": {{"{word}": {value}}}}}"#)).unwrap(),
                want,
                "{word}"
            );
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, want) in [
            (r#"{"guided_json": 1}"#, "guided_json"),
            (r#"{"guided_json": "{"}"#, "guided_json"),
            (r#"{"guided_json": {"enum": []}}"#, "guided_json.enum"),
            (r#"{"guided_choice": []}"#, "guided_choice"),
            (r#"{"guided_choice": "a"}"#, "guided_choice"),
            (r#"{"guided_choice": ["a", ""]}"#, "guided_choice"),
            (r#"{"guided_regex": 1}"#, "guided_regex"),
            (r#"{"structured_outputs": []}"#, "structured_outputs"),
            (r#"{"structured_outputs": {"choice": [1]}}"#, "structured_outputs.choice"),
            (r#"{"structured_outputs": {"json_object": 1}}"#, "structured_outputs.json_object"),
            (r#"{"structured_outputs": {"structural_tag": "x"}}"#, "structured_outputs.structural_tag"),
        ] {
            assert_eq!(parse(json).unwrap_err().field.as_deref(), Some(want), "{json}");
        }
    }

    #[test]
    fn what_only_tunes_another_program_is_reported() {
        let mut ignored = Ignored::default();
        let body = br#"{"structured_outputs": {"regex": "a", "disable_any_whitespace": true}}"#;
        openai::output(&mut Fields::parse(body).unwrap(), &mut ignored).unwrap();
        assert_eq!(ignored.header_value().as_deref(), Some("structured_outputs.disable_any_whitespace"));
        assert_eq!(
            ignored.in_words_of_request(Failure::invalid("grammar", "x")).field.as_deref(),
            Some("structured_outputs.regex")
        );
    }
}
