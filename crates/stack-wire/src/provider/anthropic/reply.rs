//! Replies, whole and event by event.

use std::collections::HashMap;

use stack_chat::{Failure, FailureKind, FinishReason};

use super::block::Block;
use super::usage::Counts;
use crate::provider::events::Events;
use crate::provider::object::{Object, unknown_word};
use crate::provider::reader::Codec;

/// The message so far.
#[derive(Debug, Default)]
pub(in crate::provider) struct Messages {
    blocks: HashMap<u64, Block>,
    counts: Counts,
    /// Why it ends, which is proven only by the event after it.
    reason: Option<(String, FinishReason)>,
}

impl Codec for Messages {
    fn record(&mut self, name: &str, event: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        // The data say the name again, so an intermediary that drops the name does no harm.
        match event.text("type")?.unwrap_or(name) {
            "message_start" => self.start(event.require_object("message", "message")?, events),
            "content_block_start" => {
                let index = index(event)?;
                let block = Block::begin(event.require_object("content_block", "content_block")?, events)?;
                match self.blocks.insert(index, block) {
                    None => Ok(()),
                    Some(_) => Err(disorder(events, "began a content block twice")),
                }
            }
            "content_block_delta" => match self.blocks.get_mut(&index(event)?) {
                Some(block) => block.delta(event.require_object("delta", "delta")?, events),
                None => Err(disorder(events, "went on with a content block that had not begun")),
            },
            "content_block_stop" => match self.blocks.remove(&index(event)?) {
                Some(block) => {
                    block.end(events);
                    Ok(())
                }
                None => Err(disorder(events, "ended a content block that had not begun")),
            },
            "message_delta" => {
                self.count(event, events)?;
                self.reason(event.require_object("delta", "delta")?, events)
            }
            "message_stop" => self.finish(events),
            "ping" => {
                events.alive();
                Ok(())
            }
            other => {
                events.facts.unknown("event", other);
                Ok(())
            }
        }
    }

    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        self.start(body, events)?;
        if body.value("content").is_none() {
            return Err(body.missing("content"));
        }
        for block in body.objects("content", "content[]")? {
            Block::begin(block, events)?.end(events);
        }
        self.count(body, events)?;
        self.reason(body, events)?;
        self.finish(events)
    }
}

impl Messages {
    fn start(&mut self, message: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        events.facts.id(message.text("id")?);
        events.facts.model(message.text("model")?);
        if let Some(usage) = message.object("usage", "message.usage")? {
            self.counts.update(usage);
        }
        events.start(self.counts.prompt_tokens());
        Ok(())
    }

    fn count(&mut self, event: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        if let Some(usage) = event.object("usage", "usage")? {
            self.counts.update(usage);
        }
        match self.counts.usage() {
            Some(usage) => events.usage(usage),
            None => events.facts.unknown("usage", "without counts"),
        }
        Ok(())
    }

    fn reason(&mut self, delta: Object<'_>, events: &Events) -> Result<(), Failure> {
        let Some(word) = delta.text("stop_reason")? else { return Ok(()) };
        let reason = match word {
            "end_turn" | "stop_sequence" => FinishReason::Stop,
            "tool_use" => FinishReason::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "refusal" => FinishReason::ContentFilter,
            "pause_turn" => FinishReason::Paused,
            "error" => {
                let message = format!("{} failed in the middle of its answer", events.provider());
                return Err(Failure::new(FailureKind::ServerError, message));
            }
            other => match events.adapted_reason(other) {
                Some(reason) => reason,
                None => return Err(unknown_word("stop_reason", other)),
            },
        };
        self.reason = Some((word.to_owned(), reason));
        Ok(())
    }

    fn finish(&mut self, events: &mut Events) -> Result<(), Failure> {
        let Some((word, reason)) = self.reason.take() else {
            return Err(disorder(events, "ended its message without a stop_reason"));
        };
        events.finish(&word, reason);
        events.done();
        Ok(())
    }
}

fn index(event: Object<'_>) -> Result<u64, Failure> {
    event.count("index")?.ok_or_else(|| event.missing("index"))
}

fn disorder(events: &Events, what: &str) -> Failure {
    Failure::new(FailureKind::SchemaDrift, format!("{} {what}", events.provider()))
}
