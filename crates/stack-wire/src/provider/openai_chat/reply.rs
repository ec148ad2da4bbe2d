//! Replies, whole and in chunks.

use serde_json::Value;
use stack_chat::{Citation, Failure, FailureKind, FinishReason, Fragment, Money};

use crate::provider::count::{self, OpenaiNames};
use crate::provider::events::{CALLS_MAX, Events, too_many_calls};
use crate::provider::object::{Object, drift, unknown_word};
use crate::provider::reader::Codec;

/// The calls that have begun.
#[derive(Debug, Default)]
pub(in crate::provider) struct Chat {
    calls: Vec<Call>,
}

/// A call, as far as its pieces have come.
#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    /// The part that it became when its name was known.
    part: Option<u32>,
    /// The arguments that came before the name.
    held: String,
}

impl Codec for Chat {
    fn record(&mut self, _name: &str, chunk: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        self.read(chunk, "delta", events)
    }

    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        if body.objects("choices", "choices[]")?.is_empty() {
            return Err(body.missing("choices[0]"));
        }
        self.read(body, "message", events)
    }
}

impl Chat {
    /// Takes in a chunk, whose choice has a `delta`, or a whole body, whose choice has a `message`.
    fn read(&mut self, chunk: Object<'_>, said: &str, events: &mut Events) -> Result<(), Failure> {
        events.start(0);
        events.facts.id(chunk.text("id")?);
        events.facts.model(chunk.text("model")?);
        for choice in chunk.objects("choices", "choices[]")? {
            if choice.count("index")?.unwrap_or_default() != 0 {
                events.facts.unknown("choice", "index");
                continue;
            }
            if let Some(message) = choice.object(said, "choices[].delta")? {
                self.message(message, said == "message", events)?;
            }
            if let Some(word) = choice.text("finish_reason")? {
                if self.calls.iter().any(|call| call.part.is_none()) {
                    let message = format!("{} called a tool without a name", events.provider());
                    return Err(Failure::new(FailureKind::SchemaDrift, message));
                }
                let reason = match events.adapted_reason(word) {
                    Some(reason) => reason,
                    None => reason(word, events.provider())?,
                };
                events.finish(word, reason);
            }
        }
        if let Some(usage) = chunk.object("usage", "usage")? {
            match count::openai(usage, &NAMES) {
                Some(counted) => events.usage(counted),
                None => events.facts.unknown("usage", "without counts"),
            }
            bill(usage, events);
        }
        Ok(())
    }

    fn message(&mut self, message: Object<'_>, is_whole: bool, events: &mut Events) -> Result<(), Failure> {
        if let Some(text) = message.text("reasoning_content")? {
            events.say(Fragment::Thinking(text.to_owned()))?;
        }
        if let Some(text) = message.text("content")? {
            events.say(Fragment::Text(text.to_owned()))?;
        }
        if let Some(text) = message.text("refusal")? {
            events.say(Fragment::Refusal(text.to_owned()))?;
        }
        for annotation in message.objects("annotations", "choices[].delta.annotations[]")? {
            if let Some(source) = annotation.object("url_citation", "annotations[].url_citation")? {
                let text = |name| source.text(name).map(|text| text.map(str::to_owned));
                events.cite(Citation { url: text("url")?, title: text("title")?, quote: None });
            }
        }
        for (place, call) in (0_u64..).zip(message.objects("tool_calls", "choices[].delta.tool_calls[]")?) {
            let index = if is_whole { Some(place) } else { call.count("index")? };
            let function = call.object("function", "choices[].delta.tool_calls[].function")?;
            self.piece(index, call.text("id")?, function, events)?;
        }
        // The form before there were tools.
        if let Some(function) = message.object("function_call", "choices[].delta.function_call")? {
            self.piece(Some(u64::MAX), None, Some(function), events)?;
        }
        Ok(())
    }

    /// Takes in a piece of a call. Servers tell calls apart by number; some leave it out or give all the same, and then
    /// a new identifier that comes with a name is a new call.
    fn piece(
        &mut self,
        index: Option<u64>,
        id: Option<&str>,
        function: Option<Object<'_>>,
        events: &mut Events,
    ) -> Result<(), Failure> {
        let id = id.unwrap_or_default();
        let name = function.map(|function| function.text("name")).transpose()?.flatten().unwrap_or_default();
        let is_other =
            |call: &Call| !name.is_empty() && !id.is_empty() && !call.id.is_empty() && call.id != id;
        let place = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|call| call.id == id),
        };
        let place = place.filter(|place| !is_other(&self.calls[*place])).unwrap_or_else(|| {
            self.calls.push(Call { index, id: id.to_owned(), part: None, held: String::new() });
            self.calls.len() - 1
        });
        // Those that never get a name count, too.
        if self.calls.len() > CALLS_MAX {
            return Err(too_many_calls());
        }
        let call = &mut self.calls[place];
        let arguments = match function.and_then(|function| function.value("arguments")) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(object @ Value::Object(_)) => object.to_string(),
            Some(other) => {
                return Err(drift("choices[].delta.tool_calls[].function.arguments", "a string", other));
            }
        };
        let part = match call.part {
            Some(part) => part,
            None if name.is_empty() => {
                call.held.push_str(&arguments);
                return Ok(());
            }
            None => {
                let part = events.open_call(Some(&call.id), name)?;
                call.part = Some(part);
                events.add(part, Fragment::Arguments(std::mem::take(&mut call.held)));
                part
            }
        };
        events.add(part, Fragment::Arguments(arguments));
        Ok(())
    }
}

/// Reads what xAI says that it charges, in units of 10⁻¹⁰ dollars.
pub(in crate::provider) fn bill(usage: Object<'_>, events: &mut Events) {
    if let Some(ticks) = usage.value("cost_in_usd_ticks").and_then(Value::as_i64) {
        events.facts.billed = Some(Money(ticks));
    }
}

fn reason(word: &str, provider: &str) -> Result<FinishReason, Failure> {
    match word {
        "stop" => Ok(FinishReason::Stop),
        "tool_calls" | "function_call" => Ok(FinishReason::ToolCalls),
        "length" => Ok(FinishReason::Length),
        "content_filter" => Ok(FinishReason::ContentFilter),
        "error" => Err(Failure::new(
            FailureKind::ServerError,
            format!("{provider} failed in the middle of its answer"),
        )),
        other => Err(unknown_word("finish_reason", other)),
    }
}

const NAMES: OpenaiNames = OpenaiNames {
    prompt: "prompt_tokens",
    prompt_details: "prompt_tokens_details",
    generated: "completion_tokens",
    generated_details: "completion_tokens_details",
};
