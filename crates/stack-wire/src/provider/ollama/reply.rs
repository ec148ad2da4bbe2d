//! Replies: one line or many of the same form.

use serde_json::Value;
use stack_chat::{Failure, FailureKind, FinishReason, Fragment};

use crate::provider::count::{Ledger, number};
use crate::provider::events::Events;
use crate::provider::object::{Object, drift, unknown_word};
use crate::provider::reader::Codec;

/// Whether the model has called a tool: the interface says only that it stopped.
#[derive(Debug, Default)]
pub(in crate::provider) struct Lines {
    has_calls: bool,
}

impl Codec for Lines {
    fn record(&mut self, _name: &str, line: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        events.start(0);
        events.facts.model(line.text("model")?);
        // A server on this machine may be a front for one that is not. Whoever promised privacy must know.
        events.facts.forwarded_to(line.text("remote_host")?.or(line.text("remote_model")?));
        if let Some(message) = line.object("message", "message")? {
            self.message(message, events)?;
        }
        if !line.is_set("done")? {
            return Ok(());
        }
        let word = line.require_text("done_reason")?;
        let reason = match word {
            "stop" if self.has_calls => FinishReason::ToolCalls,
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "load" | "unload" => {
                let message = format!("{} only loaded or unloaded the model", events.provider());
                return Err(Failure::new(FailureKind::ServerError, message));
            }
            other => match events.adapted_reason(other) {
                Some(reason) => reason,
                None => return Err(unknown_word("done_reason", other)),
            },
        };
        // A prompt that is still in the cache as a whole is not counted.
        let input = number(line.value("prompt_eval_count")).unwrap_or_default();
        match number(line.value("eval_count")) {
            Some(answer) => events.usage(Ledger::default().usage([input, 0, 0, 0, answer, 0])),
            None => events.facts.unknown("usage", "without counts"),
        }
        events.finish(word, reason);
        events.done();
        Ok(())
    }

    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        body.require_object("message", "message")?;
        self.record("", body, events)
    }
}

impl Lines {
    fn message(&mut self, message: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        if let Some(text) = message.text("thinking")? {
            events.say(Fragment::Thinking(text.to_owned()))?;
        }
        if let Some(text) = message.text("content")? {
            events.say(Fragment::Text(text.to_owned()))?;
        }
        for call in message.objects("tool_calls", "message.tool_calls[]")? {
            let function = call.require_object("function", "message.tool_calls[].function")?;
            let arguments = match function.value("arguments") {
                None => "{}".to_owned(),
                Some(object @ Value::Object(_)) => object.to_string(),
                Some(other) => {
                    return Err(drift("message.tool_calls[].function.arguments", "an object", other));
                }
            };
            let part = events.open_call(call.text("id")?, function.require_text("name")?)?;
            events.add(part, Fragment::Arguments(arguments));
            events.close(part);
            self.has_calls = true;
        }
        Ok(())
    }
}
