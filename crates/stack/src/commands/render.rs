//! `stack render`: what a chat template makes of a conversation.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil};
use serde_json::{Map, Value, json};
use stack_engine::engine::EngineOptions;
use stack_engine::template::ChatTemplate;
use stack_engine::tokenizer::Tokenizer;

use crate::access::AccessArguments;
use crate::command_error::{CommandError, Kind};
use crate::input;
use crate::model_choice::ModelArgument;
use crate::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A JSON array of messages, or an object with messages, tools and other variables; `-` is stdin
    messages: PathBuf,
    /// Use the template, and the texts of BOS and EOS, of this model; without --template, of the default model
    #[arg(short, long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: Option<ModelArgument>,
    /// Use the template in this file
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Render as if it were this time, such as 2025-07-26T12:00:00
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<Zoned>,
    #[command(flatten)]
    access: AccessArguments,
    /// Print one JSON object with the text
    #[arg(long)]
    json: bool,
}

/// Prints the rendered text, and nothing behind it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let given = arguments.variables()?;
    let (template, mut variables) = arguments.template()?;
    variables.extend(given);
    let now = arguments.now.clone().unwrap_or_else(EngineOptions::default().clock);
    let text = template.render_json(variables, &now)?;
    let mut data = Data::new();
    if arguments.json { data.json(&json!({ "text": text })) } else { data.write(&text) }
}

impl Arguments {
    /// Finds the template, and the variables that come from the model.
    fn template(&self) -> Result<(ChatTemplate, Map<String, Value>), CommandError> {
        let given = self.template.as_deref().map(input::text).transpose()?;
        if let (Some(text), None) = (&given, &self.model) {
            return Ok((ChatTemplate::compile(text)?, Map::new()));
        }
        let home = self.access.home()?;
        let model = self.model.as_ref().map(|model| model.find(&home)).transpose()?;
        let model = model.unwrap_or_default().open(&self.access)?;
        let options = EngineOptions { template: given, ..EngineOptions::default() };
        let template = model.template(&options)?.ok_or_else(|| {
            CommandError::new(Kind::Missing, format!("the model {} has no chat template", model.id))
                .hint("give one with --template FILE")
        })?;
        let mut variables = Map::new();
        if let Some(tokenizer) = model.tokenizer()? {
            let mut text = |name: &str, token: Option<u32>| {
                let piece = token.map(|token| String::from_utf8_lossy(tokenizer.piece(token)).into_owned());
                variables.insert(name.to_owned(), piece.unwrap_or_default().into());
            };
            text("bos_token", Tokenizer::bos(&tokenizer));
            text("eos_token", Tokenizer::eos(&tokenizer));
        }
        Ok((template, variables))
    }

    /// Reads the conversation and the variables that come with it.
    fn variables(&self) -> Result<Map<String, Value>, CommandError> {
        let wrong = |problem: &str| {
            CommandError::new(Kind::Malformed, format!("{} {problem}", self.messages.display()))
                .hint(r#"write [{"role": "user", "content": "Hi"}], or {"messages": […], "tools": […]}"#)
        };
        let json = serde_json::from_str(&input::text(&self.messages)?)
            .map_err(|error| wrong("is not JSON").caused(error))?;
        let variables = match json {
            Value::Array(messages) => Map::from_iter([("messages".to_owned(), Value::Array(messages))]),
            Value::Object(variables) => variables,
            _ => return Err(wrong("is neither an array of messages nor an object")),
        };
        match variables.get("messages") {
            Some(Value::Array(messages)) if messages.iter().all(Value::is_object) => Ok(variables),
            _ => Err(wrong("has no list of messages, which are objects")),
        }
    }
}

/// Reads a moment: with a time zone, with an offset, or in local time.
fn moment(text: &str) -> Result<Zoned, String> {
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.to_zoned(TimeZone::UTC));
    }
    let local = text.parse::<civil::DateTime>().map_err(|error| error.to_string())?;
    local.to_zoned(TimeZone::system()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        for text in
            ["2025-07-26T12:30:00", "2025-07-26T12:30:00Z", "2025-07-26T12:30:00+00:00[UTC]", "2025-07-26"]
        {
            assert_eq!(moment(text).unwrap().date(), civil::date(2025, 7, 26), "{text}");
        }
        assert!(moment("yesterday").is_err());
    }
}
