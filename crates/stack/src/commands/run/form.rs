//! What form an answer must have, which tools there are, and how much the model may think.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};
use serde_json::{Value, json};
use stack_chat::{ChatRequest, Effort, Output, Thinking};
use stack_wire::openai;

use crate::error::{CommandError, Kind};
use crate::terminal::input;

#[derive(Debug, Args)]
pub(crate) struct FormArguments {
    /// Answer in this format: `json` is a JSON object
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "schema")]
    format: Option<Format>,
    /// Answer with JSON that follows the JSON schema in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    schema: Option<PathBuf>,
    /// Offer the tools in this file, a JSON array of definitions, and show the calls; nothing is run
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "raw")]
    tools: Option<PathBuf>,
    /// Let a reasoning model think: `on`, `off`, `low`, `medium`, `high`, or so many tokens
    #[arg(long, value_name = "HOW", conflicts_with = "raw")]
    think: Option<Think>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

/// How much a model may think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Think {
    On,
    As(Thinking),
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "on" | "true" => Self::On,
            "off" | "false" => Self::As(Thinking::Off),
            "low" => Self::As(Thinking::Effort(Effort::Low)),
            "medium" => Self::As(Thinking::Effort(Effort::Medium)),
            "high" => Self::As(Thinking::Effort(Effort::High)),
            number => match number.parse() {
                Ok(tokens) if tokens > 0 => Self::As(Thinking::Budget(tokens)),
                _ => {
                    return Err(
                        "needs `on`, `off`, `low`, `medium`, `high`, or a number of tokens".to_owned()
                    );
                }
            },
        })
    }
}

impl FormArguments {
    /// Whether anything is demanded of the form of an answer, which a conversation has no use for.
    pub(crate) fn demands_form(&self) -> bool {
        self.format.is_some() || self.schema.is_some() || self.tools.is_some()
    }

    /// Writes the wishes into a request.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or does not hold what it should.
    pub(crate) fn apply(&self, request: ChatRequest) -> Result<ChatRequest, CommandError> {
        let mut request = request;
        if let Some(path) = &self.schema {
            let schema = json(path)?;
            let wanted = json!({"response_format": {"type": "json_schema", "json_schema": {
                "name": "schema", "strict": true, "schema": schema,
            }}});
            request.output = asked(path, wanted)?.output;
        } else if self.format == Some(Format::Json) {
            request.output = Output::Json;
        }
        if let Some(path) = &self.tools {
            request.tools = asked(path, json!({"tools": definitions(path)?}))?.tools;
        }
        match self.think {
            None => {}
            Some(Think::On) => request.template.enable_thinking = Some(true),
            Some(Think::As(thinking)) => request.thinking = thinking,
        }
        Ok(request)
    }
}

/// Reads tool definitions: a list, or an object with one. A bare function counts as a definition.
fn definitions(path: &Path) -> Result<Vec<Value>, CommandError> {
    let list = match json(path)? {
        Value::Array(list) => list,
        Value::Object(mut object) if object.get("tools").is_some_and(Value::is_array) => {
            match object.remove("tools") {
                Some(Value::Array(list)) => list,
                _ => Vec::new(),
            }
        }
        _ => {
            let error =
                CommandError::new(Kind::Malformed, format!("{} holds no list of tools", path.display()));
            return Err(
                error.hint(r#"write [{"type": "function", "function": {"name": "…", "parameters": {…}}}]"#)
            );
        }
    };
    let nested = |tool: Value| {
        let is_bare = tool.get("function").is_none() && tool.get("name").is_some();
        if is_bare { json!({"type": "function", "function": tool}) } else { tool }
    };
    Ok(list.into_iter().map(nested).collect())
}

fn json(path: &Path) -> Result<Value, CommandError> {
    serde_json::from_str(&input::text(path)?).map_err(|error| {
        CommandError::new(Kind::Malformed, format!("{} is not JSON", path.display())).caused(error)
    })
}

/// Reads wishes as a server would read them from a client, so that the same file means the same in both.
fn asked(path: &Path, mut wishes: Value) -> Result<ChatRequest, CommandError> {
    wishes["messages"] = json!([{"role": "user", "content": ""}]);
    match openai::parse_chat(wishes.to_string().as_bytes()) {
        Ok(call) => Ok(call.request),
        Err(failure) => {
            let message = format!("{}: {}", path.display(), failure.message);
            Err(CommandError::new(Kind::Malformed, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_chat::Prompt;

    use super::*;

    fn request() -> ChatRequest {
        ChatRequest::new(Prompt::Text(String::new()))
    }

    fn arguments() -> FormArguments {
        FormArguments { format: None, schema: None, tools: None, think: None }
    }

    #[test]
    fn files_mean_what_they_mean_to_a_server() {
        let dir = tempfile::tempdir().unwrap();
        let (schema, tools) = (dir.path().join("s.json"), dir.path().join("t.json"));
        fs::write(&schema, r#"{"type": "object"}"#).unwrap();
        fs::write(&tools, r#"[{"name": "f"}, {"type": "function", "function": {"name": "g"}}]"#).unwrap();
        let given = FormArguments { schema: Some(schema), tools: Some(tools), ..arguments() };
        let request = given.apply(request()).unwrap();
        assert!(matches!(&request.output, Output::Schema(schema) if schema.strict));
        let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["f", "g"]);
    }

    #[test]
    fn a_file_at_fault_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for (text, part) in [("{", "is not JSON"), ("{\"enum\": []}", "enum"), ("[]", "object")] {
            fs::write(&path, text).unwrap();
            let error =
                FormArguments { schema: Some(path.clone()), ..arguments() }.apply(request()).unwrap_err();
            assert!(error.to_string().contains("x.json") && error.to_string().contains(part), "{error}");
        }
        fs::write(&path, "{}").unwrap();
        let error = FormArguments { tools: Some(path), ..arguments() }.apply(request()).unwrap_err();
        assert!(error.to_string().contains("holds no list of tools"));
    }

    #[test]
    fn thinking_is_a_word_or_a_number() {
        for (text, think) in [
            ("on", Think::On),
            ("off", Think::As(Thinking::Off)),
            ("high", Think::As(Thinking::Effort(Effort::High))),
            ("500", Think::As(Thinking::Budget(500))),
        ] {
            assert_eq!(text.parse(), Ok(think));
        }
        assert!("0".parse::<Think>().is_err() && "maybe".parse::<Think>().is_err());
    }
}
