//! `stack render`: what a chat template makes of a conversation.
//!
//! With a model, it prints what `stack serve` would let that model continue, by the same code. A template alone has no
//! vocabulary to be sent to, so there a text that it does not show is no error, as in transformers.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil};
use serde_json::{Map, Value, json};
use stack_chat::Prompt;
use stack_engine::EngineOptions;
use stack_engine::engine::{PromptRenderer, prompt_text, prompt_tokens};
use stack_engine::template::ChatTemplate;
use stack_engine::tokenizer::Tokenizer;
use stack_wire::{Call, openai};

use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::ModelArgument;
use crate::models::path;
use crate::terminal::input;
use crate::terminal::output::{Data, escaped, stderr};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A JSON array of messages, or an object with messages, tools and other variables; `-` is stdin
    messages: PathBuf,
    /// Print what this model would be sent; without --template, the default model
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
    /// Print the ids and texts of the prompt's tokens
    #[arg(long)]
    tokens: bool,
    /// Print one JSON object with the text, or with `--tokens` the ids too
    #[arg(long)]
    json: bool,
}

/// A rendered prompt.
struct Shown {
    text: String,
    /// Its tokens, with the vocabulary that they are of.
    tokens: Option<(Tokenizer, Vec<u32>)>,
}

/// Prints the rendered text, and nothing behind it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let variables = arguments.variables()?;
    let now = arguments.now.clone().unwrap_or_else(EngineOptions::default().clock);
    let Shown { text, tokens } = match (&arguments.template, &arguments.model) {
        (Some(file), None) => alone(file, variables, &now)?,
        _ => arguments.as_sent(variables, &now)?,
    };
    let mut data = Data::new();
    if !arguments.tokens {
        return if arguments.json { data.json(&json!({ "text": text })) } else { data.write(&text) };
    }
    let Some((tokenizer, ids)) = tokens else {
        let error = CommandError::new(Kind::Usage, "without a vocabulary a prompt has no tokens");
        return Err(error.hint("name the model with --model"));
    };
    if arguments.json {
        return data.json(&json!({ "text": text, "ids": ids }));
    }
    for id in ids {
        data.line(&format!("{id:>7}  {:?}", escaped(tokenizer.piece(id))))?;
    }
    Ok(())
}

/// Renders by a template without a model.
fn alone(file: &Path, variables: Map<String, Value>, now: &Zoned) -> Result<Shown, CommandError> {
    let template = ChatTemplate::compile(&input::text(file)?)?;
    let rendered = template.render_whole(variables, now)?;
    if !rendered.lost.is_empty() {
        let lost = rendered.lost.join(", ");
        stderr(format!(
            "warning: the template does not show {lost}; a server writes it in another form or refuses the request"
        ));
    }
    Ok(Shown { text: rendered.text, tokens: None })
}

impl Arguments {
    /// Renders what the model would be sent.
    fn as_sent(&self, mut variables: Map<String, Value>, now: &Zoned) -> Result<Shown, CommandError> {
        let home = self.access.home()?;
        let model = self.model.as_ref().map(|model| model.find(&home)).transpose()?;
        let model = path::open(&model.unwrap_or_default(), &self.access)?;
        let given = self.template.as_deref().map(input::text).transpose()?;
        let found = model.templates(&EngineOptions { template: given, ..EngineOptions::default() })?;
        let templates = found.usable.map_err(|reason| {
            CommandError::new(Kind::Missing, format!("the model {} {reason}", model.id))
                .hint("give one with --template FILE")
        })?;
        for warning in found.warnings {
            stderr(format!("warning: {warning}"));
        }
        let tokenizer = model.tokenizer()?;
        let special = ["bos_token", "eos_token"]
            .map(|name| variables.shift_remove(name).and_then(|text| text.as_str().map(str::to_owned)));
        let as_it_is = special.iter().all(Option::is_none);
        let prompts = PromptRenderer::new(templates, tokenizer.as_ref()).with_special_texts(special);

        let Call { request, mut ignored, .. } = request(variables)?;
        let Prompt::Messages(messages) = &request.prompt else {
            unreachable!("a chat request holds messages")
        };
        let rendered = prompts.render(messages, request.shown_tools(), &request.template_values(), now)?;
        rendered.unused.iter().for_each(|unused| ignored.note_unused(unused));
        if let Some(names) = ignored.header_value() {
            stderr(format!("without effect: {names}"));
        }
        Ok(Shown {
            text: prompt_text(tokenizer.as_ref().filter(|_| as_it_is), &rendered),
            tokens: tokenizer.map(|tokenizer| {
                let ids = prompt_tokens(&tokenizer, &rendered);
                (tokenizer, ids)
            }),
        })
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

/// Makes the request that a client would send; what is no field of one becomes a variable of the template.
fn request(mut variables: Map<String, Value>) -> Result<Call<stack_chat::ChatRequest>, CommandError> {
    let mut body: Map<String, Value> =
        FIELDS.iter().filter_map(|&field| variables.shift_remove_entry(field)).collect();
    // A client cannot send an empty conversation, but a template can be looked at with one.
    let is_empty = body.get("messages").and_then(Value::as_array).is_some_and(Vec::is_empty);
    if is_empty {
        body.insert("messages".to_owned(), json!([{ "role": "user", "content": "" }]));
    }
    if !variables.is_empty() {
        let kwargs = body.entry("chat_template_kwargs").or_insert_with(|| json!({}));
        if let Some(kwargs) = kwargs.as_object_mut() {
            kwargs.extend(variables);
        }
    }
    let mut call = openai::parse_chat(Value::Object(body).to_string().as_bytes())
        .map_err(|error| CommandError::new(Kind::Malformed, error.message))?;
    if is_empty {
        call.request.prompt = Prompt::Messages(Vec::new());
    }
    Ok(call)
}

/// The fields of a request that a template has to do with.
const FIELDS: &[&str] = &[
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "chat_template_kwargs",
    "enable_thinking",
    "reasoning_effort",
    "add_generation_prompt",
    "continue_final_message",
];

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
