//! Rules in TOML.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};
use stack_agent::policy::Policy;
use stack_trust::home::Home;
use toml_edit::{DocumentMut, Item, Value};

use crate::error::{CommandError, Kind};
use crate::terminal::input;

/// Where rules were looked for, and what they are.
pub(crate) struct PolicyFile {
    pub(crate) path: Option<PathBuf>,
    pub(crate) policy: Policy,
}

impl PolicyFile {
    /// Reads the file that was named, else the one of the home. Without either there are no rules.
    pub(crate) fn read(named: Option<&Path>, home: &Home) -> Result<Self, CommandError> {
        let path = match named {
            Some(path) => Some(path.to_owned()),
            None => home.known().map(|home| home.join(FILE)).filter(|path| path.exists()),
        };
        let Some(path) = path else { return Ok(Self { path: None, policy: Policy::default() }) };
        let text = input::file(&path, BYTES_MAX, "split the rules by tool, or drop samples")?;
        let policy = parse(&text).map_err(|(what, line)| {
            let line = line.map(|line| format!(" line {line}:")).unwrap_or_default();
            CommandError::new(Kind::Malformed, format!("{}:{line} {what}", path.display()))
                .reason("bad-policy")
                .hint("no rule of the file is in force until all are right; `stack policy check FILE` tries them")
        })?;
        Ok(Self { path: Some(path), policy })
    }
}

/// Reads rules; the error says what is wrong, and on which line where that is known.
fn parse(text: &str) -> Result<Policy, (String, Option<usize>)> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        (error.message().trim().replace('\n', ": "), line)
    })?;
    let rules = table(document.as_table().iter()).map_err(|what| (what, None))?;
    Policy::from_json(&rules).map_err(|error| (error.to_string(), None))
}

fn table<'a>(fields: impl Iterator<Item = (&'a str, &'a Item)>) -> Result<Json, String> {
    let fields = fields.map(|(key, item)| Ok((key.to_owned(), json(key, item)?)));
    Ok(Json::Object(fields.collect::<Result<Map<_, _>, String>>()?))
}

fn json(key: &str, item: &Item) -> Result<Json, String> {
    match item {
        Item::Value(value) => scalar(key, value),
        Item::Table(fields) => table(fields.iter()),
        Item::ArrayOfTables(tables) => {
            Ok(Json::Array(tables.iter().map(|fields| table(fields.iter())).collect::<Result<_, _>>()?))
        }
        Item::None => Ok(Json::Null),
    }
}

fn scalar(key: &str, value: &Value) -> Result<Json, String> {
    match value {
        Value::String(text) => Ok(text.value().as_str().into()),
        Value::Boolean(value) => Ok((*value.value()).into()),
        Value::Integer(number) => Ok((*number.value()).into()),
        Value::Array(items) => {
            Ok(Json::Array(items.iter().map(|item| scalar(key, item)).collect::<Result<_, _>>()?))
        }
        Value::InlineTable(fields) => {
            let fields = fields.iter().map(|(key, value)| Ok((key.to_owned(), scalar(key, value)?)));
            Ok(Json::Object(fields.collect::<Result<Map<_, _>, String>>()?))
        }
        Value::Float(_) | Value::Datetime(_) => Err(format!("{key}: rules hold no decimals and no dates")),
    }
}

/// The rules of a home.
const FILE: &str = "agent/policy.toml";
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_tables() {
        let text = "[[rule]]\nid = \"notes\"\ntool = \"write_file\"\ndecision = \"allow\"\npath_prefix = \"notes\"\n\
                    match = [\"notes/a\"]\nnot_match = [\"notes-b/a\"]\n";
        assert_eq!(parse(text).unwrap().rules().len(), 1);
        assert!(parse("").unwrap().rules().is_empty());
        for (text, part) in [
            ("[[rule]\n", "unclosed"),
            ("x = 1.5\n", "decimals"),
            ("[rules]\n", "rules"),
            ("[[rule]]\nid = \"a\"\ntool = \"nothing\"\ndecision = \"deny\"\n", "no tool"),
        ] {
            let (what, _) = parse(text).unwrap_err();
            assert!(what.contains(part), "{what}");
        }
    }
}
