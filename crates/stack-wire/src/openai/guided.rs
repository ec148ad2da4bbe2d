//! What form the answer must have, in the words of vLLM: `structured_outputs`, and the `guided_*` fields that it replaced.

use serde_json::Value;
use stack_chat::{Failure, Grammar, GrammarSyntax, Output, Schema};

use super::output::{Forms, GRAMMAR_BYTES_MAX};
use crate::Ignored;
use crate::fields::{Fields, mismatch, too_long};
use crate::schema::schema;

/// Takes all of vLLM's fields.
pub(super) fn output(fields: &mut Fields, forms: &mut Forms, ignored: &mut Ignored) -> Result<(), Failure> {
    take(fields, forms, "guided_")?;
    let Some(mut outputs) = fields.object("structured_outputs")? else { return Ok(()) };
    take(&mut outputs, forms, "")?;
    if outputs.take("structural_tag").is_some() {
        let path = outputs.path("structural_tag");
        let message = format!("`{path}` is not supported here; use `tools`, or a grammar");
        return Err(Failure::unsupported(path, message));
    }
    outputs.ignore_rest("structured_outputs", ignored);
    Ok(())
}

/// Takes the fields whose names begin with `prefix`.
fn take(fields: &mut Fields, forms: &mut Forms, prefix: &str) -> Result<(), Failure> {
    let field = |word: &str| format!("{prefix}{word}");
    let name = field("json");
    if let Some(value) = fields.take(&name) {
        let path = fields.path(&name);
        forms.add(&path, json(&path, value)?)?;
    }
    let name = field("regex");
    if let Some(text) = fields.text(&name, GRAMMAR_BYTES_MAX)? {
        forms.add(&fields.path(&name), grammar(GrammarSyntax::Regex, text))?;
    }
    let name = field("choice");
    if let Some(choices) = fields.list(&name, CHOICES_MAX)? {
        let path = fields.path(&name);
        forms.add(&path, choice(&path, choices)?)?;
    }
    let name = field("grammar");
    if let Some(text) = fields.text(&name, GRAMMAR_BYTES_MAX)? {
        let syntax = if is_lark(&text) { GrammarSyntax::Lark } else { GrammarSyntax::Gbnf };
        forms.add(&fields.path(&name), grammar(syntax, text))?;
    }
    let name = field("json_object");
    if fields.flag(&name)?.unwrap_or(false) {
        forms.add(&fields.path(&name), Output::Json)?;
    }
    Ok(())
}

/// A schema, or the text of one, which vLLM's clients send as well.
fn json(path: &str, value: Value) -> Result<Output, Failure> {
    let value = match value {
        Value::String(text) if text.len() > GRAMMAR_BYTES_MAX => {
            return Err(too_long(path.to_owned(), GRAMMAR_BYTES_MAX));
        }
        Value::String(text) => {
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
        return Err(too_long(path.to_owned(), GRAMMAR_BYTES_MAX));
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
        let text = "x".repeat(GRAMMAR_BYTES_MAX + 1);
        let long = |field: &str| format!(r#"{{"{field}": "{text}"}}"#);
        let long_choice = format!(r#"{{"guided_choice": ["{text}"]}}"#);
        for (json, want) in [
            (r#"{"guided_json": 1}"#, "guided_json"),
            (r#"{"guided_json": "{"}"#, "guided_json"),
            (r#"{"guided_json": {"enum": []}}"#, "guided_json.enum"),
            (&*long("guided_json"), "guided_json"),
            (&*long("guided_regex"), "guided_regex"),
            (&long_choice, "guided_choice"),
            (r#"{"guided_choice": []}"#, "guided_choice"),
            (r#"{"guided_choice": "a"}"#, "guided_choice"),
            (r#"{"guided_choice": ["a", ""]}"#, "guided_choice"),
            (r#"{"guided_regex": 1}"#, "guided_regex"),
            (r#"{"structured_outputs": []}"#, "structured_outputs"),
            (r#"{"structured_outputs": {"choice": [1]}}"#, "structured_outputs.choice"),
            (r#"{"structured_outputs": {"json_object": 1}}"#, "structured_outputs.json_object"),
            (r#"{"structured_outputs": {"structural_tag": "x"}}"#, "structured_outputs.structural_tag"),
        ] {
            let refused = parse(json).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some(want), "{want}");
            assert_eq!(refused.message.contains("is longer than"), json.len() > GRAMMAR_BYTES_MAX, "{want}");
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
