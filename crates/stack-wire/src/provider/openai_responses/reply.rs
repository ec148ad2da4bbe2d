//! Replies, whole and event by event.

use std::collections::HashMap;

use stack_chat::{Failure, FailureKind, FinishReason, Fragment};

use super::item::{Ending, Item, citation};
use crate::provider::complaint::Complaint;
use crate::provider::count::{self, OpenaiNames};
use crate::provider::events::Events;
use crate::provider::object::{Object, unknown_word};
use crate::provider::openai_chat::bill;
use crate::provider::reader::Codec;

/// The response so far.
#[derive(Debug, Default)]
pub(in crate::provider) struct Responses {
    items: HashMap<u64, Item>,
    ending: Ending,
}

impl Codec for Responses {
    fn record(&mut self, name: &str, event: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        let name = event.text("type")?.unwrap_or(name);
        let Some(short) = name.strip_prefix("response.") else {
            if name == "keepalive" {
                events.alive();
                return Ok(());
            }
            events.facts.unknown("event", name);
            return Ok(());
        };
        match short {
            "created" => start(event, events),
            "in_progress" | "queued" => {
                start(event, events)?;
                events.alive();
                Ok(())
            }
            "output_item.added" => {
                let item = Item::begin(event.require_object("item", "item")?, events)?;
                self.items.insert(number(event, "output_index")?, item);
                Ok(())
            }
            "output_item.done" => {
                let begun = self.items.remove(&number(event, "output_index")?);
                self.end(begun, event.require_object("item", "item")?, events)
            }
            "completed" | "incomplete" => self.finish(event.require_object("response", "response")?, events),
            "failed" | "cancelled" => Err(failed(event.require_object("response", "response")?, events)),
            _ => self.more(short, event, events),
        }
    }

    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        events.start(0);
        if body.value("output").is_none() {
            return Err(body.missing("output"));
        }
        for item in body.objects("output", "output[]")? {
            self.end(None, item, events)?;
        }
        self.finish(body, events)
    }
}

impl Responses {
    /// Takes in more of an item.
    fn more(&mut self, name: &str, event: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        let delta = || event.require_text("delta");
        match name {
            "output_text.delta" => {
                let fragment = Fragment::Text(delta()?.to_owned());
                self.item(event, events)?.say(number(event, "content_index")?, fragment, events)
            }
            "refusal.delta" => {
                self.ending.has_refusal = true;
                let fragment = Fragment::Refusal(delta()?.to_owned());
                self.item(event, events)?.say(number(event, "content_index")?, fragment, events)
            }
            "output_text.annotation.added" => {
                let source = citation(event.require_object("annotation", "annotation")?)?;
                self.item(event, events)?.cite(number(event, "content_index")?, source, events);
                Ok(())
            }
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                self.item(event, events)?.argue(delta()?, events);
                Ok(())
            }
            "reasoning_summary_text.delta" => {
                self.item(event, events)?.think(number(event, "summary_index")?, delta()?, events)
            }
            "reasoning_text.delta" => {
                self.item(event, events)?.think(number(event, "content_index")?, delta()?, events)
            }
            name if IGNORED.contains(&name) => Ok(()),
            other => {
                events.facts.unknown("event", other);
                Ok(())
            }
        }
    }

    /// Returns the item that an event is about.
    fn item(&mut self, event: Object<'_>, events: &Events) -> Result<&mut Item, Failure> {
        self.items.get_mut(&number(event, "output_index")?).ok_or_else(|| {
            let message = format!("{} went on with an item that had not begun", events.provider());
            Failure::new(FailureKind::SchemaDrift, message)
        })
    }

    fn end(&mut self, begun: Option<Item>, item: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        let begun = match begun {
            Some(begun) => begun,
            None => Item::begin(item, events)?,
        };
        let ending = begun.end(item, events)?;
        self.ending.has_call |= ending.has_call;
        self.ending.has_refusal |= ending.has_refusal;
        Ok(())
    }

    fn finish(&mut self, response: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        events.facts.id(response.text("id")?);
        events.facts.model(response.text("model")?);
        if let Some(usage) = response.object("usage", "response.usage")? {
            match count::openai(usage, &NAMES) {
                Some(counted) => events.usage(counted),
                None => events.facts.unknown("usage", "without counts"),
            }
            bill(usage, events);
        }
        let status = response.require_text("status")?;
        let (word, reason) = match status {
            "completed" if self.ending.has_call => (status, FinishReason::ToolCalls),
            "completed" if self.ending.has_refusal => (status, FinishReason::ContentFilter),
            "completed" => (status, FinishReason::Stop),
            "incomplete" => {
                let details = response.require_object("incomplete_details", "response.incomplete_details")?;
                match details.require_text("reason")? {
                    word @ "max_output_tokens" => (word, FinishReason::Length),
                    word @ "content_filter" => (word, FinishReason::ContentFilter),
                    other => match events.adapted_reason(other) {
                        Some(reason) => (other, reason),
                        None => return Err(unknown_word("incomplete_details.reason", other)),
                    },
                }
            }
            "failed" | "cancelled" => return Err(failed(response, events)),
            other => return Err(unknown_word("status", other)),
        };
        events.finish(word, reason);
        events.done();
        Ok(())
    }
}

fn start(event: Object<'_>, events: &mut Events) -> Result<(), Failure> {
    let response = event.require_object("response", "response")?;
    events.facts.id(response.text("id")?);
    events.facts.model(response.text("model")?);
    events.start(0);
    Ok(())
}

/// Makes the failure that a response tells of.
fn failed(response: Object<'_>, events: &Events) -> Failure {
    let complaint = Complaint::within(response, true);
    let complaint = complaint.unwrap_or_else(|| Complaint::of_text("the response failed"));
    events.complain(complaint, response)
}

fn number(event: Object<'_>, name: &str) -> Result<u64, Failure> {
    event.count(name)?.ok_or_else(|| event.missing(name))
}

/// Events that say again what others have said.
const IGNORED: &[&str] = &[
    "content_part.added",
    "content_part.done",
    "custom_tool_call_input.done",
    "function_call_arguments.done",
    "output_text.done",
    "reasoning_summary_part.added",
    "reasoning_summary_part.done",
    "reasoning_summary_text.done",
    "reasoning_text.done",
    "refusal.done",
];

const NAMES: OpenaiNames = OpenaiNames {
    prompt: "input_tokens",
    prompt_details: "input_tokens_details",
    generated: "output_tokens",
    generated_details: "output_tokens_details",
};
